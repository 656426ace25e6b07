#pragma once
// Resizing in PyTorch's sense: no antialiasing, pixel centres at halves (align_corners=False).
// Source: torch.nn.functional.interpolate. Where nothing changes the answer is `images` itself.

#include "core/torch.h"

namespace sr {

/// area: adaptive average pooling; bicubic: a = -0.75, borders clamped.
enum class Interpolation { area, bilinear, bicubic };

/// `images` [N,C,H,W] float32 to floor(side * factor); source coordinates follow the given factor, not the
/// ratio of the sizes (`scale_factor=`). Error where a side would become 0.
Tensor interpolate_by(const Tensor& images, double factor, Interpolation mode);

/// `images` [N,C,H,W] float32 to a size (`size=`).
Tensor interpolate_to(const Tensor& images, std::int64_t height, std::int64_t width, Interpolation mode);

}  // namespace sr
