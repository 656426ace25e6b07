#pragma once
// A crop of a shrunken picture without shrinking the whole of it.

#include "image/resize.h"
#include "training/pixels.h"

namespace sr {

/// Part `crop` (in LR pixels) of the picture, cut to multiples of `scale`, as MATLAB's imresize shrinks it by
/// 1 / scale: float32 [3,height,width] on the 8-bit grid. Equal, bit for bit, to the crop of the whole LR
/// picture, since the same samples are summed with the same weights. Throws Error where the crop reaches
/// beyond it.
Tensor shrunken_crop(const Pixels& hr, int scale, const Rectangle& crop);

}  // namespace sr
