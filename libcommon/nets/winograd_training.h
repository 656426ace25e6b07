#pragma once
// 3x3 convolutions with gradients by Winograd's transforms (see nets/winograd.h), for training on CPUs. In
// float32 inside, whatever the images are: on a processor without matrix tiles that is sooner than bfloat16
// products, and no accuracy is given up but by rounding what is stored.

#include "nets/layers.h"

namespace sr {

/// Whether a gradient may be asked for, `winograd_conv` can do the layer, and LibTorch's own would take
/// longer.
bool winograd_trains(const ConvOptions& options, const Tensor& weight, const Tensor& images);

/// PReLU and the convolution after it in one: [N,in,H,W] -> [N,out,H,W], channels-last both, bfloat16 under
/// autocast. `slopes` [in]; undefined: no PReLU. `bias` [out] or undefined. Gradients' bits depend on the
/// number of threads.
Tensor winograd_conv(const Tensor& images, const Tensor& slopes, const Tensor& weight, const Tensor& bias);

}  // namespace sr
