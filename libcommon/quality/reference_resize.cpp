#include "quality/reference_resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <utility>
#include <vector>

#include "core/error.h"

namespace sr {
namespace {

/// The cubic of a = -0.5 with the source's order of operations.
float cubic(float x) {
  const float a = std::abs(x), a2 = a * a, a3 = a * a2;
  if (a <= 1) return 1.5F * a3 - 2.5F * a2 + 1;
  if (a <= 2) return -0.5F * a3 + 2.5F * a2 - 4 * a + 2;
  return 0;
}

/// torch sums so many values before it begins another sum.
constexpr std::int64_t kRun = 16;

/// In the order of torch's sum over a dimension that is not the last, below 256 values.
float torch_sum(const float* values, std::int64_t n) {
  float whole_runs = 0, rest = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    rest += values[i];
    if (i % kRun == kRun - 1) whole_runs += std::exchange(rest, 0.0F);
  }
  return rest + whole_runs;
}

constexpr std::int64_t kLanes = 8;
using Floats [[gnu::vector_size(kLanes * sizeof(float))]] = float;

/// As torch_sum, of weights[k] * rows[k][x]. This and what calls it are not SR_VECTORISED: only then does
/// nothing fuse multiplications and additions.
float weighted_sum(const std::vector<const float*>& rows, const float* weights, std::int64_t x) {
  float whole_runs = 0, rest = 0;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    rest += weights[k] * rows[k][x];
    if (k % kRun == kRun - 1) whole_runs += std::exchange(rest, 0.0F);
  }
  return rest + whole_runs;
}

void sum_rows(const std::vector<const float*>& rows, const float* weights, std::int64_t width, float* sums) {
  std::int64_t x = 0;
  for (; x + kLanes <= width; x += kLanes) {
    Floats whole_runs{}, rest{}, values;
    for (std::size_t k = 0; k < rows.size(); ++k) {
      std::memcpy(&values, rows[k] + x, sizeof values);
      rest += weights[k] * values;
      if (k % kRun != kRun - 1) continue;
      whole_runs += rest;
      rest = Floats{};
    }
    rest += whole_runs;
    std::memcpy(sums + x, &rest, sizeof rest);
  }
  for (; x < width; ++x) sums[x] = weighted_sum(rows, weights, x);
}

/// [C, H, W] to [C, axis.outputs(), W].
Tensor resized_rows(const Tensor& planes, const ResizeAxis& axis) {
  const std::int64_t height = planes.size(1), width = planes.size(2), outputs = axis.outputs();
  const auto *from = planes.data_ptr<float>(), *weights = axis.weights.data_ptr<float>();
  Tensor resized = at::empty({planes.size(0), outputs, width}, at::kFloat);
  auto* to = resized.data_ptr<float>();
  at::parallel_for(0, planes.size(0) * outputs, 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<const float*> rows(static_cast<std::size_t>(axis.taps()));
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t plane = row / outputs, y = row % outputs;
      for (std::int64_t k = 0; k < axis.taps(); ++k)
        rows[k] = from + (plane * height + axis.source(y, k)) * width;
      sum_rows(rows, weights + y * axis.taps(), width, to + row * width);
    }
  });
  return resized;
}

}  // namespace

ResizeAxis pyiqa_axis(std::int64_t length, std::int64_t outputs) {
  if (length < 1 || outputs < 1) throw Error(fmt::format("cannot resize {} pixels to {}", length, outputs));
  const double scale = static_cast<double>(outputs) / static_cast<double>(length);
  const double widened = scale < 1 ? scale : 1;
  const std::int64_t taps = length == outputs ? 1 : static_cast<std::int64_t>(std::ceil(4 / widened)) + 2;
  const std::int64_t half = taps / 2;
  ResizeAxis axis;
  axis.length = length;
  axis.weights = at::ones({outputs, taps}, at::kFloat);
  auto* weights = axis.weights.data_ptr<float>();
  for (std::int64_t i = 0; i < outputs; ++i, weights += taps) {
    const float position = (static_cast<float>(i) + 0.5F) / static_cast<float>(scale) - 0.5F;
    const float base = std::floor(position) - static_cast<float>(half) + 1;
    axis.first.push_back(length == outputs ? i : static_cast<std::int64_t>(base));
    if (length == outputs) continue;  // the source copies
    for (std::int64_t k = 0; k < taps; ++k)
      weights[k] = cubic((position - base - static_cast<float>(k)) * static_cast<float>(widened));
    const float sum = torch_sum(weights, taps);
    for (std::int64_t k = 0; k < taps; ++k) weights[k] /= sum;
  }
  return axis;
}

Tensor resized_as_reference(const Tensor& planes, const ResizeAxis& vertical, const ResizeAxis& horizontal) {
  if (planes.dim() != 3 || planes.scalar_type() != at::kFloat || !planes.device().is_cpu() ||
      planes.size(1) != vertical.length || planes.size(2) != horizontal.length)
    throw Error("resizing needs float32 planes [C, H, W] of the size its axes are for");
  const Tensor low = resized_rows(planes.contiguous(), vertical);
  return resized_rows(low.transpose(1, 2).contiguous(), horizontal).transpose(1, 2).contiguous();
}

}  // namespace sr
