#pragma once
// Normalisation over a batch and over an image.

#include <torch/nn/module.h>

#include "core/torch.h"

namespace sr {

/// torch.nn.BatchNorm2d: parameters `weight`, `bias`; buffers `running_mean`, `running_var`,
/// `num_batches_tracked`; epsilon 1e-5, momentum 0.1. In eval mode it normalises by the running statistics,
/// in training by the batch's own, and the running ones follow (also where no gradients are asked for).
class BatchNorm : public torch::nn::Module {
 public:
  static constexpr double epsilon = 1e-5;

  explicit BatchNorm(int64_t features);
  /// [N,features,H,W]. Throws Error in training where each channel has one value only: it has no variance.
  Tensor forward(const Tensor& input) const;
  /// As a new one: weight 1, bias 0, statistics of a standard normal distribution, no batch seen.
  void reset();

  Tensor weight, bias, running_mean, running_var, num_batches_tracked;
};

/// torch.nn.InstanceNorm2d without weights: every channel of every image by its own statistics, in training
/// and in eval mode alike; epsilon 1e-5.
Tensor instance_norm(const Tensor& input);

}  // namespace sr
