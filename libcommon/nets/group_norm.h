#pragma once
// Group normalisation.

#include <torch/nn/module.h>

#include "core/torch.h"

namespace sr {

/// Mean and (biased) variance of every group of every image, each float32 [N,groups].
struct GroupStatistics {
  Tensor mean, variance;
};

/// torch.nn.GroupNorm: each image's channels are normalised in `groups` groups of neighbours. Where channels
/// come last, on the CPU in float32 without gradients, by a loop of our own (LibTorch 1.13 takes 30 times as
/// long for groups of 2 channels); else by LibTorch.
class GroupNorm : public torch::nn::Module {
 public:
  GroupNorm(int64_t groups, int64_t channels, double epsilon);
  /// [N,channels,H,W]. May overwrite `fresh`, which must be nobody else's.
  Tensor forward(Tensor fresh) const { return normalise(std::move(fresh), false); }
  /// The same, and ReLU.
  Tensor forward_relu(Tensor fresh) const { return normalise(std::move(fresh), true); }
  /// silu(norm(map)) in `type`, that of the convolution after it; `map` stays as it is.
  Tensor silu(const Tensor& map, at::ScalarType type) const;
  /// The same without silu.
  Tensor normed(const Tensor& map, at::ScalarType type) const;

  GroupStatistics statistics(const Tensor& map) const;
  /// norm(map) by statistics of something greater, of which the map is a tile; `map` stays as it is.
  Tensor normed_by(const GroupStatistics& given, const Tensor& map) const;

  Tensor weight, bias;

 private:
  Tensor normalise(Tensor fresh, bool relu) const;

  int64_t groups_;
  double epsilon_;
};

}  // namespace sr
