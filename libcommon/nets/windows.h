#pragma once
// The windows of Swin transformers, planned for one size of input.

#include "core/torch.h"

namespace sr {

/// What attention must know of the windows; one for all layers that see the same size.
struct WindowPlan {
  int64_t side = 8;   ///< of a window
  int64_t shift = 0;  ///< of every second layer
  Tensor positions;   ///< int64 [side^4]: row of the relative position table for each pair of pixels
  Tensor mask;        ///< [windows, side^2, side^2]: 0, or -100 where a shift brought strangers together
};

/// Windows of side x side over height x width (whole windows), shifted by `shift` in every second layer.
WindowPlan plan_windows(int64_t height, int64_t width, int64_t side, int64_t shift);

/// Windows as Swin lays them over a square of side x side: `window` at most, and shifted by half of it unless
/// one fills the square.
WindowPlan plan_square(int64_t side, int64_t window);

/// [N,H,W,C], sides whole windows -> [N*windows, side^2, C].
Tensor windows_of(const Tensor& image, int64_t side);
/// The inverse: [N*windows, side^2, C] -> [N,height,width,C].
Tensor image_of(const Tensor& windows, int64_t side, int64_t height, int64_t width);

}  // namespace sr
