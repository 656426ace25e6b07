#pragma once
// Steps on feature maps [N,C,H,W] whose channels come last in memory, each as fast as LibTorch can be made to
// do it. They are right for any layout, device and type.

#include "nets/layers.h"

namespace sr {

inline Tensor channels_last(const Tensor& map) { return map.contiguous(at::MemoryFormat::ChannelsLast); }

/// Puts the channels of every convolution's weights last, too.
void put_channels_last(const torch::nn::Module& module);

/// The convolution, by oneDNN wherever it can be: with one thread LibTorch would send 1x1 convolutions of
/// single images to BLAS, which takes 1.1 to 2 times as long.
Tensor convolve(const Conv2d& conv, const Tensor& map);

/// Exact GELU. LibTorch 1.13 is 10 times slower where channels come last; so it is shown them in rows.
Tensor gelu_of_map(const Tensor& map);

}  // namespace sr
