#pragma once
// Colour transforms of the field's metrics, MATLAB's numbers (ITU-R BT.601, studio range).
// Source: XPixelGroup/BasicSR basicsr/utils/matlab_functions.py and color_util.py, metrics/metric_util.py.
//
// Images are [..., 3, H, W] in RGB order. uint8 means 0..255 and answers uint8 (rounded, halves to even);
// float32 and float64 mean [0, 1] and answer the same, unrounded and unclipped. Sums are made in double
// precision, as numpy makes them. Other types or channel counts throw Error. On the CPU.

#include "core/torch.h"

namespace sr {

/// Y in 16..235, Cb and Cr in 16..240 (of 255).
Tensor rgb_to_ycbcr(const Tensor& rgb);

/// The inverse. uint8 saturates (the reference wraps round).
Tensor ycbcr_to_rgb(const Tensor& ycbcr);

/// The Y of rgb_to_ycbcr alone: [..., 1, H, W].
Tensor luma(const Tensor& rgb);

/// What PSNR-Y, SSIM-Y and NIQE feed on: float32 [..., 1, H, W], 16..235, not rounded, of an image whose
/// values are 0..255 whatever its type. One channel passes through unscaled (as float32).
Tensor luma_255(const Tensor& image);

/// Full-range Y of YIQ (0.299, 0.587, 0.114), which pyiqa's metrics use: [..., 1, H, W].
/// Source: chaofengc/IQA-PyTorch pyiqa/utils/color_util.py
Tensor luma_full_range(const Tensor& rgb);

}  // namespace sr
