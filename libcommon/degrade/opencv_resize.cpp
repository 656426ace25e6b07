#include "degrade/opencv_resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <span>
#include <utility>

#include "core/error.h"
#include "image/resize.h"

namespace sr {
namespace {

/// Where output `i` of an axis lies in the input. OpenCV rounds the position itself to float32, which shows
/// at large coordinates, so that it is done here too.
struct Position {
  std::int64_t left;
  float fraction;  ///< of the way from `left` to its right neighbour
};

Position centred(std::int64_t i, double step) {
  const auto x = static_cast<float>((static_cast<double>(i) + 0.5) * step - 0.5);
  const float left = std::floor(x);
  return {static_cast<std::int64_t>(left), x - left};
}

/// INTER_AREA where it cannot average: an output takes the input sample that its left edge lies in, mixed
/// with the next one by the part of it that reaches over.
Position edge_aligned(std::int64_t i, double step, double inverse_step) {
  const auto left = static_cast<std::int64_t>(std::floor(static_cast<double>(i) * step));
  const auto over =
      static_cast<float>(static_cast<double>(i + 1) - static_cast<double>(left + 1) * inverse_step);
  return {left, over <= 0 ? 0 : over - std::floor(over)};
}

std::array<float, 2> linear_weights(float x) { return {1 - x, x}; }

/// Keys' cubic, a = -0.75, at the distances x + 1, x, 1 - x; the last makes the sum 1.
std::array<float, 4> cubic_weights(float x) {
  constexpr float a = -0.75F;
  const auto outer = [](float d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  const auto inner = [](float d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const float w0 = outer(x + 1), w1 = inner(x), w2 = inner(1 - x);
  return {w0, w1, w2, 1 - w0 - w1 - w2};
}

/// The table of one axis.
class AxisBuilder {
 public:
  AxisBuilder(std::int64_t length, std::int64_t outputs, std::int64_t taps)
      : length_(length), taps_(std::min(taps, length)) {
    axis_.length = length;
    axis_.first.resize(static_cast<std::size_t>(outputs));
    axis_.weights = at::zeros({outputs, taps_}, at::kFloat);
    weights_ = axis_.weights.data_ptr<float>();
  }

  /// Output `i` begins with sample `first`; what lies beyond the ends is the sample at the end.
  void begin(std::int64_t i, std::int64_t first) {
    row_ = weights_ + i * taps_;
    source_ = first;
    window_ = axis_.first[static_cast<std::size_t>(i)] = std::clamp<std::int64_t>(first, 0, length_ - taps_);
  }
  void add(float weight) { row_[std::clamp<std::int64_t>(source_++, 0, length_ - 1) - window_] += weight; }
  void add(std::span<const float> weights) {
    for (const float weight : weights) add(weight);
  }
  ResizeAxis finish() { return std::move(axis_); }

 private:
  ResizeAxis axis_;
  std::int64_t length_, taps_;
  float* weights_;
  float* row_ = nullptr;
  std::int64_t source_ = 0, window_ = 0;
};

/// Averages of whole and partial samples; parts under a thousandth are left out, as OpenCV does.
ResizeAxis averaging_axis(std::int64_t length, std::int64_t outputs, double step) {
  constexpr double kLeast = 1e-3;
  AxisBuilder axis(length, outputs, static_cast<std::int64_t>(std::ceil(step)) + 2);
  for (std::int64_t i = 0; i < outputs; ++i) {
    const double begin = static_cast<double>(i) * step, end = begin + step;
    const double width = std::min(step, static_cast<double>(length) - begin);
    const auto last = std::min(static_cast<std::int64_t>(std::floor(end)), length - 1);
    const auto first = std::min(static_cast<std::int64_t>(std::ceil(begin)), last);
    const double before = static_cast<double>(first) - begin, after = end - static_cast<double>(last);
    axis.begin(i, before > kLeast ? first - 1 : first);
    if (before > kLeast) axis.add(static_cast<float>(before / width));
    for (std::int64_t j = first; j < last; ++j) axis.add(static_cast<float>(1 / width));
    if (after > kLeast) axis.add(static_cast<float>(std::min({after, 1.0, width}) / width));
  }
  return axis.finish();
}

ResizeAxis interpolating_axis(std::int64_t length, std::int64_t outputs, OpenCvInterpolation mode) {
  const double inverse_step = static_cast<double>(outputs) / static_cast<double>(length);
  const double step = 1 / inverse_step;
  const bool cubic = mode == OpenCvInterpolation::cubic;
  AxisBuilder axis(length, outputs, cubic ? 4 : 2);
  for (std::int64_t i = 0; i < outputs; ++i) {
    const Position at =
        mode == OpenCvInterpolation::area ? edge_aligned(i, step, inverse_step) : centred(i, step);
    axis.begin(i, cubic ? at.left - 1 : at.left);
    cubic ? axis.add(cubic_weights(at.fraction)) : axis.add(linear_weights(at.fraction));
  }
  return axis.finish();
}

/// For tensors that are not in the CPU's memory or need a gradient: [outputs, length].
Tensor matrix_of(const ResizeAxis& axis) {
  Tensor matrix = at::zeros({axis.outputs(), axis.length}, at::kFloat);
  const Tensor first = torch::tensor(axis.first, at::kLong).unsqueeze(1);
  return matrix.scatter_(1, first + at::arange(axis.taps(), at::kLong), axis.weights);
}

Tensor resized(const Tensor& images, ResizeAxis vertical, ResizeAxis horizontal) {
  if (images.is_cpu() && !images.requires_grad()) {
    const Resizer resizer(std::move(vertical), std::move(horizontal));
    return resizer.rows(0, resizer.height(), images, 0);
  }
  const Tensor rows = matrix_of(horizontal).t().to(images.device());
  return matrix_of(vertical).to(images.device()).matmul(images.matmul(rows));
}

}  // namespace

Tensor opencv_resize(const Tensor& images, std::int64_t height, std::int64_t width,
                     OpenCvInterpolation mode) {
  const std::int64_t from_height = images.size(-2), from_width = images.size(-1);
  if (std::min({height, width, from_height, from_width}) < 1) {
    throw Error(
        fmt::format("cannot resize {} x {} pixels to {} x {}", from_width, from_height, width, height));
  }
  if (height == from_height && width == from_width) return images.clone();
  const bool average = mode == OpenCvInterpolation::area && height <= from_height && width <= from_width;
  const auto axis = [&](std::int64_t length, std::int64_t outputs) {
    return average ? averaging_axis(length, outputs,
                                    1 / (static_cast<double>(outputs) / static_cast<double>(length)))
                   : interpolating_axis(length, outputs, mode);
  };
  return resized(images, axis(from_height, height), axis(from_width, width));
}

}  // namespace sr
