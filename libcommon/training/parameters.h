#pragma once
// What an optimiser changes: parameters and their names, in the module's order.

#include <string>
#include <torch/nn/module.h>
#include <utility>
#include <vector>

#include "core/torch.h"

namespace sr {

using NamedParameters = std::vector<std::pair<std::string, Tensor>>;

/// All parameters of `module`, frozen ones too.
NamedParameters all_parameters(const torch::nn::Module& module);

/// Those that ask for a gradient.
NamedParameters trained_parameters(const torch::nn::Module& module);

/// Drops the gradients; the next backward pass makes new ones.
void drop_gradients(const NamedParameters& parameters);

}  // namespace sr
