#pragma once
// JPEG as arithmetic on tensors, through which gradients can pass.
// Source: BasicSR basicsr/utils/diffjpeg.py DiffJPEG.

#include <span>

#include "core/torch.h"

namespace sr {

/// How coefficients are rounded: `nearest` to even, whose gradient is 0 everywhere, or `cubic`, round(x) +
/// (x - round(x))^3, which lets gradients through (DiffJPEG's differentiable=True).
enum class JpegRounding { nearest, cubic };

/// `images` [N,3,H,W] float32 in [0,1] (the caller clamps) compressed and decompressed, 4:2:0, `quality` one
/// a sample or one for all, 0 < quality < 100, not rounded. Result in [0,1]. Sides that are no multiple of 16
/// are padded with zeros, as the source does. Error for a quality out of range (at 100 the source divides by
/// zero).
Tensor diff_jpeg(const Tensor& images, std::span<const double> quality,
                 JpegRounding rounding = JpegRounding::nearest);

}  // namespace sr
