#pragma once
// What CLIP's image towers have in common.

#include <torch/nn/module.h>

#include "core/torch.h"

namespace sr {

/// Images [N,3,H,W], normalised by CLIP's mean and deviation, to features [N,output_dim].
class ClipVisual : public torch::nn::Module {
 public:
  virtual Tensor forward(const Tensor& images) const = 0;
};

/// Images in [0,1] by the mean and deviation of CLIP's training images.
inline Tensor clip_normalised(const Tensor& images) {
  const auto options = images.options().requires_grad(false);
  const Tensor mean = torch::tensor({0.48145466F, 0.4578275F, 0.40821073F}, options).view({1, 3, 1, 1});
  const Tensor deviation = torch::tensor({0.26862954F, 0.26130258F, 0.27577711F}, options).view({1, 3, 1, 1});
  return (images - mean) / deviation;
}

}  // namespace sr
