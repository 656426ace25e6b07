// On the CPU, without gradients: one macroblock row (16 rows of pixels) after the other, in memory that stays
// in the cache. The stages are those of diffjpeg_stages.h.

#include "degrade/diffjpeg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <numbers>
#include <vector>

#include "core/error.h"
#include "core/simd.h"
#include "degrade/diffjpeg_stages.h"

namespace sr {
namespace {

constexpr std::int64_t kMacroblock = 16;

// --- blocks --------------------------------------------------------------------------------------

/// Eight floats on which the compiler does arithmetic at once: it does not find such short loops by itself.
using Row = float __attribute__((vector_size(32)));
/// A row's own alignment depends on the processor that is compiled for (16 bytes for SSE2, 32 for AVX), and
/// these are handed to code for another.
struct alignas(32) Matrix {
  std::array<Row, 8> rows;
  Row& operator[](std::size_t i) { return rows[i]; }
  const Row& operator[](std::size_t i) const { return rows[i]; }
};

[[gnu::always_inline]] inline void multiply(const Matrix& a, const Matrix& b, Matrix& product) {
  for (std::size_t i = 0; i < 8; ++i) {
    Row sum = a[i][0] * b[0];
    for (std::size_t k = 1; k < 8; ++k) sum += a[i][k] * b[k];
    product[i] = sum;
  }
}

/// The orthonormal basis: frequency u of place x at [u][x], and transposed.
struct Basis {
  Matrix cosines, transposed;
  Basis() {
    for (std::size_t u = 0; u < 8; ++u) {
      for (std::size_t x = 0; x < 8; ++x) {
        const double angle = static_cast<double>((2 * x + 1) * u) * std::numbers::pi / 16;
        cosines[u][x] = transposed[x][u] =
            static_cast<float>(u == 0 ? std::sqrt(0.125) : 0.5 * std::cos(angle));
      }
    }
  }
};

/// Transforms, quantises and restores `count` blocks that stand side by side.
SR_VECTORISED void recode_blocks(float* samples, std::int64_t stride, std::int64_t count, const Matrix& steps,
                                 const Basis& basis) {
  // A sum with 1.5 * 2^23 is whole, rounded to even. Beyond 2^22, where it is not, a step is far below 1e-3.
  const Row magic = Row{} + 0x1.8p23f;
  for (std::int64_t block = 0; block < count; ++block, samples += 8) {
    Matrix a, b;
    for (std::size_t y = 0; y < 8; ++y) {
      std::memcpy(&a[y], samples + static_cast<std::int64_t>(y) * stride, sizeof(Row));
    }
    multiply(a, basis.transposed, b);
    multiply(basis.cosines, b, a);
    for (std::size_t u = 0; u < 8; ++u) a[u] = (a[u] / steps[u] + magic - magic) * steps[u];
    multiply(a, basis.cosines, b);
    multiply(basis.transposed, b, a);
    for (std::size_t y = 0; y < 8; ++y) {
      std::memcpy(samples + static_cast<std::int64_t>(y) * stride, &a[y], sizeof(Row));
    }
  }
}

Matrix steps_of(diffjpeg::Component component, double quality) {
  const auto table = diffjpeg::quantisation_table(component);
  const auto factor = static_cast<float>(diffjpeg::quality_factor(quality));
  Matrix steps;
  for (std::size_t i = 0; i < 64; ++i) steps[i / 8][i % 8] = table[i] * factor;
  return steps;
}

struct Steps {
  Matrix luma, chroma;
  explicit Steps(double quality)
      : luma(steps_of(diffjpeg::Component::luma, quality)),
        chroma(steps_of(diffjpeg::Component::chroma, quality)) {}
};

// --- colours -------------------------------------------------------------------------------------

/// Y - 128 of a row.
SR_VECTORISED void to_luma(const float* red, const float* green, const float* blue, std::int64_t n,
                           float* y) {
  for (std::int64_t x = 0; x < n; ++x) {
    y[x] = 0.299f * 255 * red[x] + 0.587f * 255 * green[x] + 0.114f * 255 * blue[x] - 128;
  }
}

/// Sums of 2 x 2 pixels: `n` of them.
SR_VECTORISED void add_quads(const float* upper, const float* lower, std::int64_t n, float* sums) {
  for (std::int64_t x = 0; x < n; ++x) {
    sums[x] = (upper[2 * x] + upper[2 * x + 1]) + (lower[2 * x] + lower[2 * x + 1]);
  }
}

/// Cb - 128 and Cr - 128 of such sums.
SR_VECTORISED void to_chroma(const float* red, const float* green, const float* blue, std::int64_t n,
                             float* cb, float* cr) {
  constexpr float mean = 255.0f / 4;
  for (std::int64_t x = 0; x < n; ++x) {
    cb[x] = -0.168736f * mean * red[x] - 0.331264f * mean * green[x] + 0.5f * mean * blue[x];
    cr[x] = 0.5f * mean * red[x] - 0.418688f * mean * green[x] - 0.081312f * mean * blue[x];
  }
}

/// What chroma adds to 2 n pixels of each channel, in [0,1] units.
SR_VECTORISED void spread_chroma(const float* cb, const float* cr, std::int64_t n, float* red, float* green,
                                 float* blue) {
  for (std::int64_t x = 0; x < n; ++x) {
    red[2 * x] = red[2 * x + 1] = 1.402f / 255 * cr[x];
    green[2 * x] = green[2 * x + 1] = -0.344136f / 255 * cb[x] - 0.714136f / 255 * cr[x];
    blue[2 * x] = blue[2 * x + 1] = 1.772f / 255 * cb[x];
  }
}

SR_VECTORISED void to_channel(const float* y, const float* added, std::int64_t n, float* channel) {
  for (std::int64_t x = 0; x < n; ++x) {
    const float value = (y[x] + 128) * (1.0f / 255) + added[x];
    channel[x] = std::min(std::max(0.0f, value), 1.0f);
  }
}

// --- macroblock rows -----------------------------------------------------------------------------

struct Size {
  std::int64_t height, width;
};

/// 16 rows of a picture as JPEG has them.
class MacroblockRow {
 public:
  explicit MacroblockRow(Size size)
      : size_(size),
        padded_((size.width + kMacroblock - 1) / kMacroblock * kMacroblock),
        y_(kMacroblock * padded_),
        cb_(y_.size() / 4),
        cr_(y_.size() / 4),
        pixels_(6 * padded_),
        sums_(3 * padded_ / 2),
        added_(3 * padded_) {}

  /// Takes the rows from `top` on of a picture of three planes; zeros stand beyond its edges.
  void read(const float* picture, std::int64_t top) {
    const std::int64_t half = padded_ / 2;
    for (std::int64_t row = 0; row < kMacroblock; row += 2) {
      const PixelRow upper = pixels(picture, top + row, 0), lower = pixels(picture, top + row + 1, 3);
      to_luma(upper[0], upper[1], upper[2], padded_, &y_[row * padded_]);
      to_luma(lower[0], lower[1], lower[2], padded_, &y_[(row + 1) * padded_]);
      for (std::size_t c = 0; c < 3; ++c) add_quads(upper[c], lower[c], half, &sums_[c * half]);
      to_chroma(&sums_[0], &sums_[half], &sums_[2 * half], half, &cb_[row / 2 * half], &cr_[row / 2 * half]);
    }
  }

  void recode(const Steps& steps, const Basis& basis) {
    for (const std::int64_t row : {0, 8}) {
      recode_blocks(&y_[row * padded_], padded_, padded_ / 8, steps.luma, basis);
    }
    recode_blocks(cb_.data(), padded_ / 2, padded_ / 16, steps.chroma, basis);
    recode_blocks(cr_.data(), padded_ / 2, padded_ / 16, steps.chroma, basis);
  }

  /// The inverse of `read`.
  void write(float* picture, std::int64_t top) {
    const std::int64_t half = padded_ / 2, rows = std::min(kMacroblock, size_.height - top);
    for (std::int64_t row = 0; row < rows; ++row) {
      if (row % 2 == 0) {
        spread_chroma(&cb_[row / 2 * half], &cr_[row / 2 * half], half, &added_[0], &added_[padded_],
                      &added_[2 * padded_]);
      }
      for (std::int64_t c = 0; c < 3; ++c) {
        to_channel(&y_[row * padded_], &added_[c * padded_], size_.width,
                   picture + (c * size_.height + top + row) * size_.width);
      }
    }
  }

 private:
  using PixelRow = std::array<const float*, 3>;

  /// Row y of each channel, continued by zeros: where it must be, in the copies from number `copy` on.
  PixelRow pixels(const float* picture, std::int64_t y, std::int64_t copy) {
    PixelRow row;
    for (std::int64_t c = 0; c < 3; ++c) {
      const float* const from = picture + (c * size_.height + y) * size_.width;
      float* const to = &pixels_[(copy + c) * padded_];
      const bool beyond = y >= size_.height;
      if (beyond) std::fill_n(to, padded_, 0.0f);
      if (!beyond && size_.width != padded_) std::copy_n(from, size_.width, to);
      row[static_cast<std::size_t>(c)] = beyond || size_.width != padded_ ? to : from;
    }
    return row;
  }

  Size size_;
  std::int64_t padded_;              ///< width
  std::vector<float> y_, cb_, cr_;   ///< -128..127; chroma has half the width and height
  std::vector<float> pixels_;        ///< 2 x 3 rows of channels
  std::vector<float> sums_, added_;  ///< rows of three channels: see add_quads, spread_chroma
};

Tensor recoded_by_loop(const Tensor& images, std::span<const double> quality) {
  const Tensor in = images.contiguous();
  Tensor out = at::empty_like(in);
  if (in.numel() == 0) return out;
  const Size size{in.size(2), in.size(3)};
  const std::int64_t rows = (size.height + kMacroblock - 1) / kMacroblock,
                     sample = 3 * size.height * size.width;
  const std::vector<Steps> steps(quality.begin(), quality.end());
  const Basis basis;
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 15) / (kMacroblock * size.width));
  at::parallel_for(0, in.size(0) * rows, grain, [&](std::int64_t begin, std::int64_t end) {
    MacroblockRow row(size);
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t n = i / rows, top = i % rows * kMacroblock;
      row.read(in.data_ptr<float>() + n * sample, top);
      row.recode(steps[steps.size() == 1 ? 0 : static_cast<std::size_t>(n)], basis);
      row.write(out.data_ptr<float>() + n * sample, top);
    }
  });
  return out;
}

}  // namespace

Tensor diff_jpeg(const Tensor& images, std::span<const double> quality, JpegRounding rounding) {
  if (images.dim() != 4 || images.size(1) != 3) throw Error("DiffJPEG works on pictures of three channels");
  if (quality.size() != 1 && static_cast<std::int64_t>(quality.size()) != images.size(0)) {
    throw Error(fmt::format("{} JPEG qualities for {} pictures", quality.size(), images.size(0)));
  }
  for (const double q : quality) {
    if (!(q > 0 && q < 100))
      throw Error(fmt::format("the JPEG quality {} does not lie between 0 and 100", q));
  }
  const bool plain =
      images.device().is_cpu() && images.scalar_type() == at::kFloat && !images.requires_grad();
  return plain && rounding == JpegRounding::nearest ? recoded_by_loop(images, quality)
                                                    : diffjpeg::recoded(images, quality, rounding);
}

}  // namespace sr
