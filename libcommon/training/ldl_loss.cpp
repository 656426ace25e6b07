#include "training/ldl_loss.h"

#include <fmt/format.h>

#include "core/error.h"

namespace sr {
namespace {

Tensor residual(const Tensor& image, const Tensor& target) {
  return (target - image).abs().sum(1, /*keepdim=*/true);
}

/// To the power 1/5. The power's slope at 0 is infinite, and infinite times a slope of 0 is no number: an
/// output that meets its target has none.
Tensor fifth_root(const Tensor& variance) { return variance.clamp_min(1e-20).pow(0.2); }

}  // namespace

// Means of values and of squares, not all windows at once (which take window^2 times the memory); in float64,
// where their difference keeps its digits.
Tensor local_variance(const Tensor& values, int64_t window) {
  if (window < 3 || window % 2 == 0)
    throw Error(fmt::format("LDL's window has an odd side of 3 pixels or more, not {}", window));
  const int64_t margin = window / 2, count = window * window;
  const Tensor padded = at::reflection_pad2d(values.to(at::kDouble), {margin, margin, margin, margin});
  const auto mean = [&](const Tensor& x) { return at::avg_pool2d(x, {window, window}, {1, 1}); };
  const Tensor variance = (mean(padded.square()) - mean(padded).square()).clamp_min(0);
  return (variance * (static_cast<double>(count) / static_cast<double>(count - 1))).to(values.scalar_type());
}

Tensor artifact_map(const Tensor& output, const Tensor& average, const Tensor& target, int64_t window) {
  const Tensor found = residual(output, target);
  const Tensor patch = fifth_root(found.var({-1, -2, -3}, /*unbiased=*/true, /*keepdim=*/true));
  const Tensor map = patch * local_variance(found, window);
  return map.masked_fill(found.lt(residual(average, target)), 0);
}

Tensor LdlLoss::operator()(const Tensor& output, const Tensor& average, const Tensor& target) const {
  const Tensor map = artifact_map(output, average.detach(), target, window);
  return weight * (map * output - map * target).abs().mean();
}

}  // namespace sr
