#pragma once
// A module's convolution weights, put into the kernel's order once.

#include <vector>

#include "core/torch.h"

namespace sr::fused {

/// A 3x3 convolution and the activation after it, as the module has them.
struct Weights {
  Tensor weight;                      ///< [out, in, 3, 3]
  Tensor bias;                        ///< [out]; undefined: none
  Tensor slope;                       ///< [out] or [1]: what negative results are multiplied by
  std::vector<int64_t> input_groups;  ///< input channels; each group starts with a plane of its own
};

/// In the kernel's order (see amx::Band), padded with zeros to whole planes.
struct PackedKernel {
  Tensor weights, bias, slope;
  int chunks = 0, blocks = 0;  ///< of 32 input and of 16 output channels
  int rows = 3, columns = 3;
  int top = -1, left = -1;         ///< the first tap, seen from the pixel itself
  int output_y = 0, output_x = 0;  ///< which of the pixels that come out for one that goes in
};

PackedKernel pack(const Weights& weights);

/// For a convolution of an image enlarged twofold by repeating pixels, on the small image: each of the four
/// pixels that come out for one that goes in sees 2x2 different pixels only, under sums of the weights.
std::vector<PackedKernel> pack_upsampled(const Weights& weights);

/// For a convolution followed by PixelShuffle: the channels of each pixel that comes out are together.
std::vector<PackedKernel> pack_shuffled(const Weights& weights, int factor);

}  // namespace sr::fused
