#pragma once
// The windows of Swin transformers, planned for one size of input.

#include "nets/swinir.h"

namespace sr {

/// Windows of side x side over height x width (whole windows), shifted by `shift` in every second layer.
WindowPlan plan_windows(int64_t height, int64_t width, int64_t side, int64_t shift);

}  // namespace sr
