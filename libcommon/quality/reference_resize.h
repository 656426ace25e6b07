#pragma once
// Resizing with the roundings of the programs whose scores are to be met: natural scene statistics count
// signs and shapes in nearly flat areas, where the last bit of a resized pixel decides. image/resize.h is
// faster, and equal to float32's precision. Sources: XPixelGroup/BasicSR basicsr/utils/matlab_functions.py
// imresize; chaofengc/IQA-PyTorch pyiqa/matlab_utils/resize.py imresize.

#include "image/resize.h"

namespace sr {

/// How pyiqa resizes an axis to `outputs` with its bicubic kernel and antialiasing.
ResizeAxis pyiqa_axis(std::int64_t length, std::int64_t outputs);

/// Float32 planes [C, H, W] to [C, vertical.outputs(), horizontal.outputs()], down the columns first;
/// products are rounded before they are added.
Tensor resized_as_reference(const Tensor& planes, const ResizeAxis& vertical, const ResizeAxis& horizontal);

}  // namespace sr
