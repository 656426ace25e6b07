#include "quality/natural_scene.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/error.h"
#include "core/simd.h"
#include "quality/asymmetric_gaussian.h"

namespace sr {
namespace {

// Vectors are of the compiler's own kind, as it keeps no array of sums in registers.
constexpr std::int64_t kLanes = 8;

using Doubles [[gnu::vector_size(kLanes * sizeof(double))]] = double;

// --- local contrast ------------------------------------------------------------------------------

/// Vectors of sums made at once, so that the next addition need not wait for the last.
constexpr std::int64_t kAtOnce = 2;

constexpr std::int64_t whole_lanes(std::int64_t n) {
  constexpr std::int64_t step = kAtOnce * kLanes;
  return (n + step - 1) / step * step;
}

/// Rows that are normalised together, so that what they need lies in the cache.
constexpr std::int64_t kBand = 32;

/// A band of a plane and its squares in double precision, with `margin` pixels around it; edges are
/// replicated.
class PaddedBand {
 public:
  PaddedBand(std::int64_t width, std::int64_t margin)
      : width_(width),
        margin_(margin),
        stride_(whole_lanes(width) + 2 * margin),
        values_(static_cast<std::size_t>(stride_ * (kBand + 2 * margin))),
        squares_(values_.size()) {}

  /// Rows [begin, end) of `height`, and those around them.
  template <typename T>
  void fill(const T* plane, std::int64_t height, std::int64_t begin, std::int64_t end) {
    for (std::int64_t y = begin - margin_; y < end + margin_; ++y) {
      fill_row(plane + std::clamp<std::int64_t>(y, 0, height - 1) * width_, (y - begin + margin_) * stride_);
    }
  }

  std::int64_t stride() const { return stride_; }
  /// The row `margin` above the band's row `y`.
  const double* values(std::int64_t y) const { return values_.data() + y * stride_; }
  const double* squares(std::int64_t y) const { return squares_.data() + y * stride_; }

 private:
  template <typename T>
  void fill_row(const T* row, std::int64_t at) {
    double *values = values_.data() + at, *squares = squares_.data() + at;
    std::fill_n(values, margin_, row[0]);
    std::copy_n(row, width_, values + margin_);
    std::fill(values + margin_ + width_, values + stride_, row[width_ - 1]);
    for (std::int64_t x = 0; x < stride_; ++x) {
      const T value = static_cast<T>(values[x]);
      squares[x] = static_cast<T>(value * value);
    }
  }

  std::int64_t width_, margin_, stride_;
  std::vector<double> values_, squares_;
};

/// Where one row of local means comes from and goes to.
struct WindowedRow {
  const double* values;  ///< the window's first row; the next are `stride` on
  const double* squares;
  std::int64_t stride, length;  ///< `length` is whole lanes
  const double* weights;
  double* mean;
  double* mean_square;
};

template <std::int64_t kSize>
[[gnu::always_inline]] inline void sum_window(const WindowedRow& row) {
  for (std::int64_t x = 0; x < row.length; x += kAtOnce * kLanes) {
    Doubles mean[kAtOnce] = {}, mean_square[kAtOnce] = {}, values, squares;
    for (std::int64_t i = 0; i < kSize; ++i) {
      for (std::int64_t j = 0; j < kSize; ++j) {
        const double weight = row.weights[i * kSize + j];
        for (std::int64_t v = 0; v < kAtOnce; ++v) {
          std::memcpy(&values, row.values + i * row.stride + x + j + v * kLanes, sizeof values);
          std::memcpy(&squares, row.squares + i * row.stride + x + j + v * kLanes, sizeof squares);
          mean[v] += weight * values;
          mean_square[v] += weight * squares;
        }
      }
    }
    std::memcpy(row.mean + x, &mean, sizeof mean);
    std::memcpy(row.mean_square + x, &mean_square, sizeof mean_square);
  }
}

SR_VECTORISED void sum_window_5(const WindowedRow& row) { sum_window<5>(row); }
SR_VECTORISED void sum_window_7(const WindowedRow& row) { sum_window<7>(row); }

/// Two loops, as the compiler would fuse the square into the difference, and the rounding of both decides
/// where nearly flat areas end.
SR_VECTORISED void normalise(const float* plane, const double* mean, const double* mean_square,
                             std::int64_t n, float* contrast, float* deviation) {
  for (std::int64_t x = 0; x < n; ++x) {
    const auto m = static_cast<float>(mean[x]);
    deviation[x] = m * m;
    contrast[x] = plane[x] - m;
  }
  for (std::int64_t x = 0; x < n; ++x) {
    deviation[x] = std::sqrt(std::abs(static_cast<float>(mean_square[x]) - deviation[x]));
    contrast[x] /= deviation[x] + 1;
  }
}

SR_VECTORISED void normalise(const double* plane, const double* mean, const double* mean_square,
                             std::int64_t n, double* contrast, double* deviation) {
  constexpr double epsilon = std::numeric_limits<double>::epsilon();
  for (std::int64_t x = 0; x < n; ++x) {
    deviation[x] = std::sqrt(std::abs(mean_square[x] - mean[x] * mean[x]) + epsilon);
    contrast[x] = (plane[x] - mean[x]) / (deviation[x] + 1);
  }
}

/// Normalises a plane of height x width band by band.
template <typename T>
class Normaliser {
 public:
  Normaliser(const T* plane, std::int64_t height, std::int64_t width, const Tensor& window)
      : plane_(plane),
        height_(height),
        width_(width),
        size_(window.size(0)),
        weights_(window.data_ptr<double>()),
        band_(width, size_ / 2),
        mean_(static_cast<std::size_t>(whole_lanes(width))),
        mean_square_(mean_.size()) {}

  void rows(std::int64_t begin, std::int64_t end, T* contrast, T* deviation) {
    band_.fill(plane_, height_, begin, end);
    for (std::int64_t y = begin; y < end; ++y) {
      const WindowedRow row{band_.values(y - begin),
                            band_.squares(y - begin),
                            band_.stride(),
                            whole_lanes(width_),
                            weights_,
                            mean_.data(),
                            mean_square_.data()};
      size_ == 5 ? sum_window_5(row) : sum_window_7(row);
      const std::int64_t at = y * width_;
      normalise(plane_ + at, mean_.data(), mean_square_.data(), width_, contrast + at, deviation + at);
    }
  }

 private:
  const T* plane_;
  std::int64_t height_, width_, size_;
  const double* weights_;
  PaddedBand band_;
  std::vector<double> mean_, mean_square_;
};

template <typename T>
NormalisedContrast normalised(const Tensor& plane, const Tensor& window) {
  const std::int64_t height = plane.size(0), width = plane.size(1);
  NormalisedContrast out{at::empty_like(plane), at::empty_like(plane)};
  T *contrast = out.values.data_ptr<T>(), *deviation = out.deviation.data_ptr<T>();
  at::parallel_for(0, (height + kBand - 1) / kBand, 1, [&](std::int64_t begin, std::int64_t end) {
    Normaliser<T> normaliser(plane.data_ptr<T>(), height, width, window);
    for (std::int64_t band = begin; band < end; ++band)
      normaliser.rows(band * kBand, std::min(height, (band + 1) * kBand), contrast, deviation);
  });
  return out;
}

// --- features ------------------------------------------------------------------------------------

SR_VECTORISED void multiply(const float* a, const float* b, std::int64_t n, float* products) {
  for (std::int64_t i = 0; i < n; ++i) products[i] = a[i] * b[i];
}
SR_VECTORISED void multiply(const double* a, const double* b, std::int64_t n, double* products) {
  for (std::int64_t i = 0; i < n; ++i) products[i] = a[i] * b[i];
}

/// A block with its last row above it and the opposite columns beside it.
template <typename T>
class WrappedBlock {
 public:
  WrappedBlock(std::int64_t height, std::int64_t width)
      : height_(height),
        width_(width),
        wrapped_(static_cast<std::size_t>((height + 1) * (width + 2))),
        values_(static_cast<std::size_t>(height * width)) {}

  void fill(const T* block, std::int64_t stride) {
    for (std::int64_t y = 0; y <= height_; ++y) {
      const T* from = block + (y == 0 ? height_ - 1 : y - 1) * stride;
      T* to = row(y);
      to[0] = from[width_ - 1];
      std::copy_n(from, width_, to + 1);
      to[width_ + 1] = from[0];
    }
  }

  AsymmetricGaussian fit_values() {
    for (std::int64_t y = 0; y < height_; ++y)
      std::copy_n(row(y + 1) + 1, width_, values_.data() + y * width_);
    return fit();
  }

  /// Of the products with the neighbour `up` rows above and `left` columns to the left.
  AsymmetricGaussian fit_products(std::int64_t up, std::int64_t left) {
    for (std::int64_t y = 0; y < height_; ++y)
      multiply(row(y + 1) + 1, row(y + 1 - up) + 1 - left, width_, values_.data() + y * width_);
    return fit();
  }

 private:
  T* row(std::int64_t y) { return wrapped_.data() + y * (width_ + 2); }
  AsymmetricGaussian fit() const {
    return fit_asymmetric_gaussian(values_.data(), static_cast<std::int64_t>(values_.size()));
  }

  std::int64_t height_, width_;
  std::vector<T> wrapped_, values_;
};

template <typename T>
void write_features(WrappedBlock<T>& block, double* features) {
  const AsymmetricGaussian values = block.fit_values();
  *features++ = values.shape;
  *features++ = values.scale();
  constexpr std::array<std::array<std::int64_t, 2>, 4> neighbours = {{{0, 1}, {1, 0}, {1, 1}, {1, -1}}};
  for (const auto& [up, left] : neighbours) {
    const AsymmetricGaussian products = block.fit_products(up, left);
    for (const double feature : {products.shape, products.mean(), products.left, products.right})
      *features++ = feature;
  }
}

template <typename T>
Tensor features_of_blocks(const Tensor& contrast, std::int64_t height, std::int64_t width) {
  const std::int64_t rows = contrast.size(0) / height, columns = contrast.size(1) / width;
  const std::int64_t stride = contrast.size(1);
  const T* values = contrast.data_ptr<T>();
  Tensor features = at::empty({rows * columns, kSceneFeatures}, at::kDouble);
  auto* out = features.data_ptr<double>();
  at::parallel_for(0, rows * columns, 1, [&](std::int64_t begin, std::int64_t end) {
    WrappedBlock<T> block(height, width);
    for (std::int64_t i = begin; i < end; ++i) {
      block.fill(values + i % rows * height * stride + i / rows * width, stride);
      write_features(block, out + i * kSceneFeatures);
    }
  });
  return features;
}

bool is_plane(const Tensor& t) {
  return t.dim() == 2 && t.numel() > 0 && t.device().is_cpu() &&
         (t.scalar_type() == at::kFloat || t.scalar_type() == at::kDouble);
}

}  // namespace

Tensor gaussian_window(std::int64_t size, double sigma) {
  const Tensor x = at::arange(size, at::kDouble) - static_cast<double>(size - 1) / 2;
  const Tensor weights = at::exp(-(x * x + (x * x).unsqueeze(1)) / (2 * sigma * sigma));
  return weights / weights.sum();
}

NormalisedContrast normalised_contrast(const Tensor& plane, const Tensor& window) {
  const auto size = window.dim() == 2 ? window.size(0) : 0;
  if (!is_plane(plane)) throw Error("local contrast needs a plane of float32 or float64 [H, W]");
  if ((size != 5 && size != 7) || window.size(1) != size || window.scalar_type() != at::kDouble)
    throw Error("local contrast needs a window of float64 [5, 5] or [7, 7]");
  const bool single = plane.scalar_type() == at::kFloat;
  return (single ? normalised<float> : normalised<double>)(plane.contiguous(), window.contiguous());
}

Tensor scene_features(const Tensor& contrast, std::int64_t height, std::int64_t width) {
  if (!is_plane(contrast) || height < 1 || width < 1)
    throw Error("scene features need a plane of float32 or float64 and blocks of at least one pixel");
  const bool single = contrast.scalar_type() == at::kFloat;
  return (single ? features_of_blocks<float> : features_of_blocks<double>)(contrast.contiguous(), height,
                                                                           width);
}

}  // namespace sr
