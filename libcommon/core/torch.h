#pragma once
// LibTorch's tensors, and the few places where its versions differ (Debian 12 has 1.13, Debian 13 has 2.6).
// This header is precompiled. It leaves out torch/nn.h: that costs every file five seconds; what needs
// modules includes theirs (torch/nn/modules/conv.h, say).

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/types.h>

namespace sr {

using torch::Tensor;

}  // namespace sr
