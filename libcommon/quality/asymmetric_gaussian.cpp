#include "quality/asymmetric_gaussian.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/simd.h"

namespace sr {
namespace {

// Vectors are of the compiler's own kind, as it keeps no array of sums in registers.
constexpr std::int64_t kLanes = 8;
using Floats [[gnu::vector_size(kLanes * sizeof(float))]] = float;
using Doubles [[gnu::vector_size(kLanes * sizeof(double))]] = double;
using Counts [[gnu::vector_size(kLanes * sizeof(std::int64_t))]] = std::int64_t;

/// What a fit looks at: root mean squares on both sides of zero, mean magnitude and mean square of all.
template <typename T>
struct SignedMoments {
  T left, right, magnitude, square;
};

SR_VECTORISED void square_all(const float* values, std::int64_t n, float* squares) {
  for (std::int64_t i = 0; i < n; ++i) squares[i] = values[i] * values[i];
}

/// Up to 128 values in numpy's order.
float leaf_sum(const float* values, std::int64_t n) {
  float sum = 0;
  std::int64_t i = 0;
  if (n >= kLanes) {
    Floats lanes{}, next;
    for (; i + kLanes <= n; i += kLanes) {
      std::memcpy(&next, values + i, sizeof next);
      lanes += next;
    }
    sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
  }
  for (; i < n; ++i) sum += values[i];
  return sum;
}

/// The pairwise sum of numpy's float32 reductions, so that shapes between two of the table fall on its side.
float pairwise_sum(const float* values, std::int64_t n) {
  if (n <= 128) return leaf_sum(values, n);
  const std::int64_t half = n / 2 / kLanes * kLanes;
  return pairwise_sum(values, half) + pairwise_sum(values + half, n - half);
}

float pairwise_mean(const std::vector<float>& values, std::int64_t n) {
  return static_cast<float>(pairwise_sum(values.data(), n) / static_cast<double>(n));
}

SignedMoments<float> signed_moments(const float* values, std::int64_t n) {
  std::vector<float> squares(static_cast<std::size_t>(n)), left(squares.size() + 1), right(left.size());
  square_all(values, n, squares.data());
  std::int64_t lefts = 0, rights = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    left[lefts] = right[rights] = squares[i];
    lefts += values[i] < 0;
    rights += values[i] > 0;
  }
  SignedMoments<float> moments{};
  moments.left = std::sqrt(pairwise_mean(left, lefts));
  moments.right = std::sqrt(pairwise_mean(right, rights));
  moments.square = pairwise_mean(squares, n);
  for (std::int64_t i = 0; i < n; ++i) left[i] = std::abs(values[i]);
  moments.magnitude = pairwise_mean(left, n);
  return moments;
}

struct SignedSums {
  double left_squares = 0, right_squares = 0, magnitudes = 0;
  std::int64_t left = 0, right = 0;
};

SR_VECTORISED SignedSums signed_sums(const double* values, std::int64_t count) {
  Doubles left{}, right{}, magnitudes{};
  Counts lefts{}, rights{};
  constexpr Doubles zero{};
  SignedSums sums;
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Doubles value;
    std::memcpy(&value, values + i, sizeof value);
    const Counts below = value < zero;  // a true lane is -1
    const Counts above = value > zero;
    const Doubles squares = value * value;
    left += below ? squares : zero;
    right += above ? squares : zero;
    magnitudes += below ? -value : value;
    lefts -= below;
    rights -= above;
  }
  for (; i < count; ++i) {
    const double value = values[i];
    (value < 0 ? sums.left_squares : sums.right_squares) += value * value;
    sums.magnitudes += std::abs(value);
    sums.left += value < 0;
    sums.right += value > 0;
  }
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    sums.left_squares += left[lane];
    sums.right_squares += right[lane];
    sums.magnitudes += magnitudes[lane];
    sums.left += lefts[lane];
    sums.right += rights[lane];
  }
  return sums;
}

SignedMoments<double> signed_moments(const double* values, std::int64_t n) {
  const SignedSums sums = signed_sums(values, n);
  const auto count = static_cast<double>(n);
  return {std::sqrt(sums.left_squares / static_cast<double>(sums.left)),
          std::sqrt(sums.right_squares / static_cast<double>(sums.right)), sums.magnitudes / count,
          (sums.left_squares + sums.right_squares) / count};
}

/// How the shapes 0.2, 0.201, ... 10 show in the moments: squared mean magnitude over mean square.
class ShapeTable {
 public:
  ShapeTable() {
    for (std::size_t i = 0; i < ratios_.size(); ++i) {
      const double reciprocal = 1 / shape(i), gamma2 = std::tgamma(2 * reciprocal);
      ratios_[i] = gamma2 * gamma2 / (std::tgamma(reciprocal) * std::tgamma(3 * reciprocal));
    }
  }

  /// The shape whose ratio is nearest; the least one for NaN, as numpy's argmin answers.
  double nearest(double ratio) const {
    if (std::isnan(ratio)) return shape(0);
    const auto above =
        static_cast<std::size_t>(std::lower_bound(ratios_.begin(), ratios_.end(), ratio) - ratios_.begin());
    if (above == 0) return shape(0);
    if (above == ratios_.size()) return shape(above - 1);
    return shape(ratios_[above] - ratio < ratio - ratios_[above - 1] ? above : above - 1);
  }

 private:
  static double shape(std::size_t i) { return 0.2 + static_cast<double>(i) * 0.001; }

  std::array<double, 9801> ratios_{};  // they rise
};

const ShapeTable& shape_table() {
  static const ShapeTable table;
  return table;
}

template <typename T>
AsymmetricGaussian fit(const SignedMoments<T>& moments) {
  const double ratio = moments.left / moments.right, magnitude = moments.magnitude;
  const double flatness = magnitude * magnitude / moments.square, square_plus_1 = ratio * ratio + 1;
  const double symmetric =
      flatness * (ratio * ratio * ratio + 1) * (ratio + 1) / (square_plus_1 * square_plus_1);
  const double shape = shape_table().nearest(symmetric);
  const double scale = std::sqrt(std::tgamma(1 / shape) / std::tgamma(3 / shape));
  return {shape, moments.left * scale, moments.right * scale};
}

}  // namespace

double AsymmetricGaussian::mean() const {
  return (right - left) * (std::tgamma(2 / shape) / std::tgamma(1 / shape));
}

AsymmetricGaussian fit_asymmetric_gaussian(const float* values, std::int64_t count) {
  return fit(signed_moments(values, count));
}

AsymmetricGaussian fit_asymmetric_gaussian(const double* values, std::int64_t count) {
  return fit(signed_moments(values, count));
}

}  // namespace sr
