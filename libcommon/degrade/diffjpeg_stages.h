#pragma once
// The stages of DiffJPEG as LibTorch's operators, through which gradients pass.
// Source: BasicSR basicsr/utils/diffjpeg.py.

#include "degrade/diffjpeg.h"

namespace sr::diffjpeg {

/// By what a quality in (0, 100), which need not be whole, multiplies the tables: 50 / q below 50,
/// (200 - 2 q) / 100 from there on.
double quality_factor(double quality);

enum class Component { luma, chroma };
/// Steps between quantised coefficients at quality 50, row-major, rows being vertical frequencies. The luma
/// table is the transposed one, as the source has it.
std::span<const float, 64> quantisation_table(Component component);

/// 0..255; y [N,H,W], the others [N,H/2,W/2], averaged over 2 x 2 pixels.
struct Planes {
  Tensor y, cb, cr;
};
/// Of images [N,3,H,W] in [0,1], whose sides are multiples of 16.
Planes to_planes(const Tensor& images);
/// The inverse: chroma repeated, clamped to [0,1].
Tensor to_images(const Planes& planes);

/// A plane [N,H,W] cut into [N,B,8,8], row by row, and back.
Tensor to_blocks(const Tensor& plane);
Tensor to_plane(const Tensor& blocks, std::int64_t height, std::int64_t width);

/// Coefficients of blocks 0..255, and back.
Tensor dct(const Tensor& blocks);
Tensor inverse_dct(const Tensor& coefficients);

/// coefficients / steps, rounded.
Tensor quantised(const Tensor& coefficients, const Tensor& steps, JpegRounding rounding);

/// All of them.
Tensor recoded(const Tensor& images, std::span<const double> quality, JpegRounding rounding);

}  // namespace sr::diffjpeg
