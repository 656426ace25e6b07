#pragma once
// Gradient checkpointing: a part of a network keeps its input alone, and is reckoned again in the backward
// pass. Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.

#include <functional>

#include "core/torch.h"

namespace sr {

/// part(input). Gradients are those of a plain call: random draws (of the CPU's default generator) and
/// autocast come again as they were.
Tensor recomputed(const std::function<Tensor(const Tensor&)>& part, const Tensor& input);

}  // namespace sr
