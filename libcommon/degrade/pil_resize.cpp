#include "degrade/pil_resize.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "image/resize.h"

namespace sr {
namespace {

double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

constexpr double kLobes = 3;
double lanczos(double x) { return std::abs(x) < kLobes ? sinc(x) * sinc(x / kLobes) : 0; }

double cubic(double x) {
  x = std::abs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? -0.5 * (((x - 5) * x + 8) * x - 4) : 0;
}

double triangle(double x) { return std::max(1 - std::abs(x), 0.0); }

struct Filter {
  double (*value)(double);
  double lobes;  ///< beyond which it is 0
};

/// Windows are cut off at the border and their weights then sum to 1.
ResizeAxis filter_axis(std::int64_t inputs, std::int64_t outputs, const Filter& filter) {
  const double scale = static_cast<double>(inputs) / static_cast<double>(outputs);
  const double widened = std::max(scale, 1.0), support = filter.lobes * widened;
  const auto taps = std::min(static_cast<std::int64_t>(std::ceil(support)) * 2 + 1, inputs);
  ResizeAxis axis{inputs, {}, at::zeros({outputs, taps}, at::kDouble)};
  for (std::int64_t i = 0; i < outputs; i++) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto begin = std::max<std::int64_t>(static_cast<std::int64_t>(centre - support + 0.5), 0);
    const auto end = std::min(static_cast<std::int64_t>(centre + support + 0.5), inputs);
    axis.first.push_back(std::min(begin, inputs - taps));  // the last windows stay inside
    auto* const row = axis.weights.data_ptr<double>() + i * taps - axis.first.back();
    double sum = 0;
    for (auto k = begin; k < end; k++)
      sum += row[k] = filter.value((static_cast<double>(k) + 0.5 - centre) / widened);
    // PIL's fixed point has 22 bits behind the point; in float64 its sums are exact
    for (auto k = begin; k < end; k++) row[k] = std::round(row[k] / sum * 0x1p22) * 0x1p-22;
  }
  return axis;
}

ResizeAxis unchanged_axis(std::int64_t length) {
  ResizeAxis axis{length, {}, at::ones({length, 1}, at::kDouble)};
  for (std::int64_t i = 0; i < length; i++) axis.first.push_back(i);
  return axis;
}

/// Both axes, then to 0..255, halves up.
Tensor resized(const Tensor& levels, ResizeAxis vertical, ResizeAxis horizontal) {
  const Resizer resizer(std::move(vertical), std::move(horizontal));
  return resizer.rows(0, resizer.height(), levels, 0).add_(0.5).floor_().clamp_(0, 255);
}

Tensor resized_by(const Filter& filter, const Tensor& images, std::int64_t height, std::int64_t width) {
  auto levels = (images.to(at::kCPU, at::kDouble) * 255).round_();
  if (width != images.size(3)) {
    levels = resized(levels, unchanged_axis(images.size(2)), filter_axis(images.size(3), width, filter));
  }
  if (height != images.size(2)) {
    levels = resized(levels, filter_axis(images.size(2), height, filter), unchanged_axis(width));
  }
  return levels.to(images.device(), at::kFloat).div_(255);
}

}  // namespace

Tensor pil_lanczos(const Tensor& images, std::int64_t height, std::int64_t width) {
  return resized_by({lanczos, kLobes}, images, height, width);
}

Tensor pil_bicubic(const Tensor& images, std::int64_t height, std::int64_t width) {
  return resized_by({cubic, 2}, images, height, width);
}

Tensor pil_bilinear(const Tensor& images, std::int64_t height, std::int64_t width) {
  return resized_by({triangle, 1}, images, height, width);
}

}  // namespace sr
