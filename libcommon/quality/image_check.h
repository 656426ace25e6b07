#pragma once
// What every learnt measure asks of its input before anything is reckoned.

#include "core/torch.h"

namespace sr {

/// Throws Error, in `measure`'s name, unless `image` is [1,3,H,W] float32 and all numbers.
void check_image(const Tensor& image, const char* measure);

/// The same of both, and that their sizes agree.
void check_pair(const Tensor& image, const Tensor& reference, const char* measure);

}  // namespace sr
