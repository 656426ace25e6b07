#include "training/shrunken_crop.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "image/samples.h"

namespace sr {
namespace {

/// A stretch of an axis, and the HR samples [begin, begin + axis.length) that it is made of.
struct AxisPart {
  ResizeAxis axis;
  std::int64_t begin = 0;
};

/// Outputs [first, first + count) of a side of `outputs`. Weights are those of the whole axis, which hang on
/// where an output lies. Samples beyond the stretch are only those beyond the picture's own borders, which
/// mirror alike.
AxisPart part_of(std::int64_t outputs, int scale, std::int64_t first, std::int64_t count) {
  const auto length = outputs * scale;
  const auto whole = resize_axis(length, outputs, 1.0 / scale, {}, at::kFloat);
  const auto at = [&](std::int64_t i) { return whole.first[static_cast<size_t>(i)]; };
  const auto end = std::min(length, at(first + count - 1) + whole.taps());
  AxisPart part;
  part.begin = std::max<std::int64_t>(0, at(first));
  part.axis.length = end - part.begin;
  for (std::int64_t i = first; i < first + count; i++) part.axis.first.push_back(at(i) - part.begin);
  part.axis.weights = whole.weights.narrow(0, first, count).contiguous();
  return part;
}

}  // namespace

Tensor shrunken_crop(const Pixels& hr, int scale, const Rectangle& crop) {
  const auto height = hr.size.height / scale, width = hr.size.width / scale;
  const bool inside = crop.top >= 0 && crop.left >= 0 && crop.height > 0 && crop.width > 0 &&
                      crop.top <= height - crop.height && crop.left <= width - crop.width;
  if (!inside) {
    throw Error(fmt::format("{}x{} pixels at {},{} reach beyond an LR picture of {}x{}", crop.width,
                            crop.height, crop.left, crop.top, width, height));
  }
  const auto down = part_of(height, scale, crop.top, crop.height);
  const auto across = part_of(width, scale, crop.left, crop.width);
  const auto window = planes_of(hr, {down.begin, across.begin, down.axis.length, across.axis.length});
  return rounded_to_8_bits(Resizer(down.axis, across.axis).rows(0, crop.height, window, 0));
}

}  // namespace sr
