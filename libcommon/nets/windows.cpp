#include "nets/windows.h"

#include <algorithm>

namespace sr {
namespace {

/// For each pair of pixels of a window, the row of the table of (2 side - 1)^2 relative positions.
Tensor relative_positions(int64_t side) {
  const Tensor pixels = at::arange(side * side, at::kLong);
  const Tensor rows = pixels.div(side, "floor"), columns = pixels.remainder(side);
  const Tensor down = rows.unsqueeze(1) - rows + (side - 1);
  const Tensor right = columns.unsqueeze(1) - columns + (side - 1);
  return (down * (2 * side - 1) + right).flatten();
}

/// Which part of a rolled axis each place belongs to: 0 the whole windows, 1 and 2 the two parts of the last
/// one, which only the roll brought together.
Tensor parts(int64_t length, int64_t side, int64_t shift) {
  const Tensor place = at::arange(length, at::kLong);
  return place.ge(length - side).to(at::kLong) + place.ge(length - shift).to(at::kLong);
}

/// [windows, side^2, side^2]: -100 between pixels of different parts.
Tensor stranger_mask(int64_t height, int64_t width, int64_t side, int64_t shift) {
  const Tensor part = 3 * parts(height, side, shift).unsqueeze(1) + parts(width, side, shift);
  const Tensor windows =
      part.unflatten(1, {width / side, side}).unflatten(0, {height / side, side}).transpose(1, 2);
  const Tensor flat = windows.reshape({-1, side * side});
  return flat.unsqueeze(1).ne(flat.unsqueeze(2)).to(at::kFloat) * -100.0;
}

}  // namespace

WindowPlan plan_windows(int64_t height, int64_t width, int64_t side, int64_t shift) {
  WindowPlan plan{.side = side, .shift = shift, .positions = relative_positions(side), .mask = {}};
  if (shift > 0) plan.mask = stranger_mask(height, width, side, shift);
  return plan;
}

WindowPlan plan_square(int64_t side, int64_t window) {
  return plan_windows(side, side, std::min(window, side), side <= window ? 0 : window / 2);
}

Tensor windows_of(const Tensor& image, int64_t side) {
  const int64_t rows = image.size(1) / side, columns = image.size(2) / side, channels = image.size(3);
  return image.view({-1, rows, side, columns, side, channels})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({-1, side * side, channels});
}

Tensor image_of(const Tensor& windows, int64_t side, int64_t height, int64_t width) {
  const int64_t channels = windows.size(2);
  return windows.view({-1, height / side, width / side, side, side, channels})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({-1, height, width, channels});
}

}  // namespace sr
