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

}  // namespace sr
