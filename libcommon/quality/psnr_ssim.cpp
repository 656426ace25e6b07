#include "quality/psnr_ssim.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <vector>

#include "core/error.h"
#include "core/simd.h"
#include "image/colour.h"

namespace sr {
namespace {

/// One channel of both images, rows one after the other.
struct PlanePair {
  const double* a;
  const double* b;
  std::int64_t height, width;
};

void check_pair(const Tensor& a, const Tensor& b) {
  const auto usable = [](const Tensor& image) {
    const auto type = image.scalar_type();
    return image.dim() == 3 && image.size(0) > 0 && image.device().is_cpu() &&
           (type == at::kByte || type == at::kFloat || type == at::kDouble);
  };
  if (!usable(a) || !usable(b)) throw Error("images to compare must be uint8, float32 or float64 [C, H, W]");
  if (a.sizes() != b.sizes()) {
    throw Error(fmt::format("the images differ in size: {}x{} with {} channels, {}x{} with {}", a.size(2),
                            a.size(1), a.size(0), b.size(2), b.size(1), b.size(0)));
  }
}

/// The mean of measure(PlanePair) over the channels that the protocol compares.
template <typename Measure>
double mean_of_channels(const Tensor& a, const Tensor& b, const Protocol& protocol, const Measure& measure) {
  check_pair(a, b);
  const Tensor first = compared_part(a, protocol), second = compared_part(b, protocol);
  double sum = 0;
  for (std::int64_t c = 0; c < first.size(0); ++c) {
    const Tensor x = first[c].to(at::kDouble).contiguous(), y = second[c].to(at::kDouble).contiguous();
    sum += measure(PlanePair{x.data_ptr<double>(), y.data_ptr<double>(), x.size(0), x.size(1)});
  }
  return sum / static_cast<double>(first.size(0));
}

/// The sum of part(begin, end) over bands of rows: the same bands, added in the same order, for any number of
/// threads.
template <typename Part>
double sum_of_bands(std::int64_t rows, const Part& part) {
  constexpr std::int64_t band = 32;
  std::vector<double> sums(static_cast<std::size_t>((rows + band - 1) / band));
  at::parallel_for(0, static_cast<std::int64_t>(sums.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) sums[i] = part(i * band, std::min(rows, (i + 1) * band));
  });
  double sum = 0;
  for (const double s : sums) sum += s;
  return sum;
}

double mean_squared_error(const PlanePair& planes) {
  const double sum = sum_of_bands(planes.height, [&](std::int64_t begin, std::int64_t end) {
    double band = 0;
    for (std::int64_t i = begin * planes.width; i < end * planes.width; ++i) {
      const double difference = planes.a[i] - planes.b[i];
      band += difference * difference;
    }
    return band;
  });
  return sum / static_cast<double>(planes.height * planes.width);
}

double decibels(double mse) { return 10 * std::log10(1 / mse); }

// --- SSIM ----------------------------------------------------------------------------------------

constexpr std::int64_t kWindow = 11;
constexpr std::int64_t kLanes = 8;  // neighbours summed at once
using Lanes [[gnu::vector_size(kLanes * sizeof(double))]] = double;
using LanesInMemory
    [[gnu::vector_size(kLanes * sizeof(double)), gnu::aligned(alignof(double)), gnu::may_alias]] = double;
using Window = std::array<double, kWindow>;

Window gaussian_window() {
  constexpr double sigma = 1.5;
  constexpr std::int64_t centre = kWindow / 2;
  Window window{};
  double sum = 0;
  for (std::int64_t i = 0; i < kWindow; ++i) {
    const double x = static_cast<double>(i - centre) / sigma;
    sum += window[i] = std::exp(-x * x / 2);
  }
  for (double& w : window) w /= sum;
  return window;
}

/// Weighted sums of a row: of a, b, a^2 + b^2, a b.
struct RowSums {
  double *a, *b, *squares, *products;
};

/// Sums down the window's rows, from `a` and `b` on. The last chunk moves back to end with the row.
SR_VECTORISED void sum_columns(const double* a, const double* b, std::int64_t width, const double* window,
                               const RowSums& sums) {
  for (std::int64_t start = 0; start < width; start += kLanes) {
    const std::int64_t x = std::min(start, width - kLanes);
    Lanes sum_a{}, sum_b{}, squares{}, products{};
    for (std::int64_t k = 0; k < kWindow; ++k) {
      const Lanes va = *reinterpret_cast<const LanesInMemory*>(a + k * width + x);
      const Lanes vb = *reinterpret_cast<const LanesInMemory*>(b + k * width + x);
      const Lanes wa = window[k] * va, wb = window[k] * vb;
      sum_a += wa;
      sum_b += wb;
      squares += wa * va + wb * vb;
      products += wa * vb;
    }
    *reinterpret_cast<LanesInMemory*>(sums.a + x) = sum_a;
    *reinterpret_cast<LanesInMemory*>(sums.b + x) = sum_b;
    *reinterpret_cast<LanesInMemory*>(sums.squares + x) = squares;
    *reinterpret_cast<LanesInMemory*>(sums.products + x) = products;
  }
}

/// Sums along the row and the SSIM at `width` places. Whole chunks are made: rows have room for the last.
/// The structure term's numerator is `least` at least.
SR_VECTORISED void compare_row(const RowSums& sums, std::int64_t width, const double* window, double least,
                               double* ssim) {
  constexpr double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255;
  for (std::int64_t x = 0; x < width; x += kLanes) {
    Lanes a{}, b{}, squares{}, products{};
    for (std::int64_t k = 0; k < kWindow; ++k) {
      a += window[k] * *reinterpret_cast<const LanesInMemory*>(sums.a + x + k);
      b += window[k] * *reinterpret_cast<const LanesInMemory*>(sums.b + x + k);
      squares += window[k] * *reinterpret_cast<const LanesInMemory*>(sums.squares + x + k);
      products += window[k] * *reinterpret_cast<const LanesInMemory*>(sums.products + x + k);
    }
    const Lanes mean_squares = a * a + b * b, mean_product = a * b;
    const Lanes variances = squares - mean_squares, covariance = products - mean_product;
    Lanes structure = 2 * covariance + c2;
    structure = structure < least ? least + Lanes{} : structure;
    *reinterpret_cast<LanesInMemory*>(ssim + x) =
        (2 * mean_product + c1) * structure / ((mean_squares + c1) * (variances + c2));
  }
}

/// The SSIM of one row after another. The window is separable: sums down the columns, then along the row.
class SsimRows {
 public:
  SsimRows(const PlanePair& planes, double least)
      : planes_(planes), least_(least), window_(gaussian_window()), ssim_(padded(planes.width)) {
    for (auto& sums : columns_) sums = padded(planes.width);
  }

  /// The sum of the SSIM map's row `y` (the window's top row).
  double row(std::int64_t y) {
    const RowSums sums{columns_[0].data(), columns_[1].data(), columns_[2].data(), columns_[3].data()};
    const std::int64_t above = y * planes_.width, width = planes_.width - kWindow + 1;
    sum_columns(planes_.a + above, planes_.b + above, planes_.width, window_.data(), sums);
    compare_row(sums, width, window_.data(), least_, ssim_.data());
    double sum = 0;
    for (std::int64_t x = 0; x < width; ++x) sum += ssim_[x];
    return sum;
  }

 private:
  static std::vector<double> padded(std::int64_t width) { return std::vector<double>(width + 2 * kLanes); }

  PlanePair planes_;
  double least_;
  Window window_;
  std::array<std::vector<double>, 4> columns_;  // RowSums
  std::vector<double> ssim_;
};

double mean_ssim(const PlanePair& planes, double least) {
  const std::int64_t height = planes.height - kWindow + 1, width = planes.width - kWindow + 1;
  if (height < 1 || width < 1) {
    throw Error(fmt::format("SSIM needs {0}x{0} pixels after the crop, not {1}x{2}", kWindow, planes.width,
                            planes.height));
  }
  const double sum = sum_of_bands(height, [&](std::int64_t begin, std::int64_t end) {
    SsimRows rows(planes, least);
    double band = 0;
    for (std::int64_t y = begin; y < end; ++y) band += rows.row(y);
    return band;
  });
  return sum / static_cast<double>(height * width);
}

// --- PSNR-B --------------------------------------------------------------------------------------

constexpr std::int64_t kBlock = 8;

/// Squared steps between neighbours, across the edges of 8 x 8 blocks and elsewhere.
struct Steps {
  double at_edges = 0, elsewhere = 0;
  void add(double step, std::int64_t position) {
    (position % kBlock == kBlock - 1 ? at_edges : elsewhere) += step * step;
  }
};

Steps squared_steps(const double* image, std::int64_t height, std::int64_t width) {
  Steps steps;
  for (std::int64_t y = 0; y < height; ++y) {
    const double* row = image + y * width;
    for (std::int64_t x = 0; x + 1 < width; ++x) steps.add(row[x] - row[x + 1], x);
    if (y + 1 == height) break;
    for (std::int64_t x = 0; x < width; ++x) steps.add(row[x] - row[x + width], y);
  }
  return steps;
}

/// How much more the image steps at block edges than elsewhere, as an error of values in 0..255.
double blocking_effect(const double* image, std::int64_t height, std::int64_t width) {
  const std::int64_t edges = height * (width / kBlock - 1) + width * (height / kBlock - 1);
  const std::int64_t others = height * (width - 1) + width * (height - 1) - edges;
  if (edges <= 0) throw Error(fmt::format("PSNR-B needs a larger image than {}x{}", width, height));
  const Steps steps = squared_steps(image, height, width);
  const double excess =
      steps.at_edges / static_cast<double>(edges) - steps.elsewhere / static_cast<double>(others);
  return excess > 0 ? excess * std::log2(kBlock) / std::log2(std::min(height, width)) : 0;
}

}  // namespace

Protocol protocol_named(std::string_view name, std::int64_t scale) {
  if (name == "rgb") return {};
  if (name == "matlab") return {.luma = true, .rounded = true, .crop_border = scale};
  if (name == "sr-y" || name == "sed" || name == "sfd") return {.luma = true, .crop_border = scale};
  if (name == "seesr") return {.luma = true, .pyiqa_ssim = true, .mse_floor = 1e-8};
  throw UsageError(fmt::format("'{}' is no protocol (rgb, sr-y, sed, sfd, seesr, matlab)", name));
}

Tensor compared_part(const Tensor& image, const Protocol& protocol) {
  const std::int64_t crop = protocol.crop_border;
  if (crop < 0 || std::min(image.size(1), image.size(2)) <= 2 * crop) {
    throw Error(
        fmt::format("a crop of {} leaves nothing of {}x{} pixels", crop, image.size(2), image.size(1)));
  }
  const Tensor inner = image.slice(1, crop, image.size(1) - crop).slice(2, crop, image.size(2) - crop);
  if (!protocol.luma || image.size(0) != 3) return inner;
  const Tensor y = luma_255(inner);
  return protocol.rounded ? y.round() : y;
}

double psnr(const Tensor& a, const Tensor& b, const Protocol& protocol) {
  const double mse = mean_of_channels(a, b, protocol, mean_squared_error) / (255.0 * 255.0);
  return decibels(mse + protocol.mse_floor);
}

double ssim(const Tensor& a, const Tensor& b, const Protocol& protocol) {
  auto rounding = protocol;
  rounding.rounded |= protocol.pyiqa_ssim;
  const double least = protocol.pyiqa_ssim ? 0 : -std::numeric_limits<double>::infinity();
  return mean_of_channels(a, b, rounding, [&](const PlanePair& planes) { return mean_ssim(planes, least); });
}

double psnr_b(const Tensor& a, const Tensor& b, const Protocol& protocol) {
  return mean_of_channels(a, b, protocol, [](const PlanePair& planes) {
    const double error = mean_squared_error(planes) + blocking_effect(planes.a, planes.height, planes.width);
    return decibels(error / (255.0 * 255.0));
  });
}

}  // namespace sr
