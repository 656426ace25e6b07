#pragma once
// Gradient checkpointing: a part of a network keeps its inputs alone, and is reckoned again in the backward
// pass. Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.

#include <functional>
#include <vector>

#include "core/torch.h"

namespace sr {

/// part(inputs). Gradients are those of a plain call: random draws (of the CPU's default generator) and
/// autocast come again as they were. What else `part` holds may be parameters, and nothing reckoned from
/// them: that must be an input.
Tensor recomputed(const std::function<Tensor(const std::vector<Tensor>&)>& part, std::vector<Tensor> inputs);
/// The same of one input.
Tensor recomputed(const std::function<Tensor(const Tensor&)>& part, const Tensor& input);

}  // namespace sr
