#pragma once
// The gradients of all parameters as one vector.

#include "training/parameters.h"

namespace sr {

/// Its Euclidean norm; parameters without a gradient count as zero. Summed in float64 on the CPU. Not finite
/// where a gradient isn't.
double gradient_norm(const NamedParameters& parameters);

/// Shortens it to `longest` where it is longer, as PyTorch's clip_grad_norm_ does (torch/nn/utils/
/// clip_grad.py): times longest / (norm + 1e-6). Answers the norm before.
double clip_gradient_norm(const NamedParameters& parameters, double longest);

}  // namespace sr
