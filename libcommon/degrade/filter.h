#pragma once
// Linear filtering of whole pictures.

#include "core/torch.h"

namespace sr {

/// What lies beyond the edge: `reflect` does not repeat the edge pixel (OpenCV's reflect101, ndimage's
/// mirror), `replicate` repeats it alone, `wrap` is periodic.
enum class Border { reflect, replicate, wrap };

/// Correlates (kernel not flipped) every plane of `images` [N,C,H,W] float32 with `kernels`: [k,k] or [1,k,k]
/// for all, or [N,k,k], one a sample; k is odd. Not clipped. Error where a picture is not larger than k / 2.
/// On the CPU the result does not depend on the number of threads; it is `images` itself where the kernels
/// are pulses.
/// Source: BasicSR basicsr/utils/img_process_util.py filter2D.
Tensor filter2d(const Tensor& images, const Tensor& kernels, Border border = Border::reflect);

/// The same with the outer product of two kernels [k], one down the columns, one along the rows.
Tensor filter_separable(const Tensor& images, const Tensor& column, const Tensor& row,
                        Border border = Border::reflect);

}  // namespace sr
