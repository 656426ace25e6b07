#pragma once
// Convolution with fewer multiplications, for the many 3x3 and 5x5 layers of classifiers and feature
// networks. Paper: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. Points of
// interpolation other than the paper's, which rounding thanks for: float32 errs about twice (5x5: six times)
// as much as a plain sum of the products does, some 1e-6 of the outputs' size.

#include "core/torch.h"
#include "nets/layers.h"

namespace sr {

/// A convolution of stride 1 that keeps the image's size, for inference on the CPU in float32. A tile of 4x4
/// outputs takes 36 multiplications for each pair of channels with a 3x3 kernel (not 144), 64 with a 5x5 one
/// (not 400); the weights take 36 / 9, or 64 / 25, times their memory. Any number of threads gives the same
/// values, and equal images of a batch give equal outputs.
class WinogradConv {
 public:
  /// Whether the layer is one that this can do: 3x3 or 5x5, stride 1, padded by half, one group, float32 on
  /// the CPU, outputs in multiples of 32 and inputs of 16.
  static bool suits(const Conv2d& layer);
  explicit WinogradConv(const Conv2d& layer);

  /// Whether the images have tiles enough to be worth it: each transformed weight is read once.
  bool pays(const Tensor& images) const;
  /// [N,in,H,W] -> [N,out,H,W], channels-last both; `relu`: negative outputs become 0.
  Tensor forward(const Tensor& images, bool relu) const;

 private:
  std::int64_t in_, out_, kernel_;
  Tensor weight_;  ///< [points][out / 32][in][32]
  Tensor bias_;    ///< [out]
};

}  // namespace sr
