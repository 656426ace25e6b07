#pragma once
// PIL's Image.resize with LANCZOS, by which SeeSR's DAPE pairs are brought to 512 x 512, with BILINEAR, by
// which torchvision's Resize and measures of quality shrink pictures, and with BICUBIC, its default, by which
// SeeSR sizes pictures. Source: Pillow src/libImaging/Resample.c, for facts.

#include "core/torch.h"

namespace sr {

/// `images` [N,C,H,W] float32 in [0,1] on the 8-bit grid, to height x width, on the 8-bit grid too: windows
/// of three lobes, widened where a side shrinks, rounded to 8 bits after the rows and after the columns.
Tensor pil_lanczos(const Tensor& images, std::int64_t height, std::int64_t width);
/// The same by Keys' cubic, a = -0.5, two lobes.
Tensor pil_bicubic(const Tensor& images, std::int64_t height, std::int64_t width);
/// The same by a triangle, one lobe.
Tensor pil_bilinear(const Tensor& images, std::int64_t height, std::int64_t width);

}  // namespace sr
