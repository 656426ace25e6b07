#pragma once
// cv2.resize of float32 pictures: no antialiasing but by `area`, which averages where no side grows.
// Source: OpenCV 4.6 modules/imgproc/src/resize.cpp, for facts.

#include "core/torch.h"

namespace sr {

/// INTER_LINEAR, INTER_CUBIC (a = -0.75), INTER_AREA.
enum class OpenCvInterpolation { linear, cubic, area };

/// `images` [N,C,H,W] float32 to a size; not clipped. Error where a side is 0. `area` repeats pixels, with a
/// narrow ramp between them, where a side grows.
Tensor opencv_resize(const Tensor& images, std::int64_t height, std::int64_t width, OpenCvInterpolation mode);

}  // namespace sr
