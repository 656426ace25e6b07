#include "quality/gaussian_derivative.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "core/simd.h"

namespace sr {
namespace {

constexpr std::int64_t kRadius = GaussianDerivative::kRadius;
using Weights = std::array<double, kRadius + 1>;

/// Along a row with kRadius samples before and behind it.
SR_VECTORISED void filter_row(const double* row, std::int64_t n, const Weights& smooth, const Weights& slope,
                              double* smoothed, double* sloped) {
  for (std::int64_t x = 0; x < n; ++x) {
    double even = smooth[0] * row[x], odd = 0;
    for (std::int64_t k = 1; k <= kRadius; ++k) {
      even += smooth[k] * (row[x - k] + row[x + k]);
      odd += slope[k] * (row[x - k] - row[x + k]);
    }
    smoothed[x] = even;
    sloped[x] = odd;
  }
}

/// Down the columns of rows that are `stride` apart, at the row `sloped` and `smoothed` point to.
SR_VECTORISED void filter_columns(const double* sloped, const double* smoothed, std::int64_t stride,
                                  std::int64_t n, const Weights& smooth, const Weights& slope, double* across,
                                  double* down) {
  for (std::int64_t x = 0; x < n; ++x) {
    double even = smooth[0] * sloped[x], odd = 0;
    for (std::int64_t k = 1; k <= kRadius; ++k) {
      even += smooth[k] * (sloped[x - k * stride] + sloped[x + k * stride]);
      odd += slope[k] * (smoothed[x - k * stride] - smoothed[x + k * stride]);
    }
    across[x] = even;
    down[x] = odd;
  }
}

}  // namespace

GaussianDerivative::GaussianDerivative(double sigma) {
  if (std::ceil(3 * sigma) != kRadius)
    throw Error(fmt::format("a derivative of a Gaussian of sigma {} has another size", sigma));
  for (std::int64_t k = 0; k <= kRadius; ++k) {
    const auto x = static_cast<double>(k);
    smooth_[k] = std::exp(-x * x / (2 * sigma * sigma));
    slope_[k] = x * smooth_[k];
  }
}

void GaussianDerivative::rows(const double* plane, std::int64_t height, std::int64_t width,
                              std::int64_t begin, std::int64_t end, double* across, double* down) {
  const std::int64_t band = end - begin + 2 * kRadius;
  padded_.assign(static_cast<std::size_t>(width + 2 * kRadius), 0);
  smoothed_.assign(static_cast<std::size_t>(band * width), 0);
  sloped_.assign(smoothed_.size(), 0);
  for (std::int64_t i = 0; i < band; ++i) {
    const std::int64_t y = begin - kRadius + i;
    if (y < 0 || y >= height) continue;
    std::copy_n(plane + y * width, width, padded_.data() + kRadius);
    filter_row(padded_.data() + kRadius, width, smooth_, slope_, smoothed_.data() + i * width,
               sloped_.data() + i * width);
  }
  for (std::int64_t y = 0; y < end - begin; ++y) {
    const std::int64_t at = (y + kRadius) * width;
    filter_columns(sloped_.data() + at, smoothed_.data() + at, width, width, smooth_, slope_,
                   across + y * width, down + y * width);
  }
}

}  // namespace sr
