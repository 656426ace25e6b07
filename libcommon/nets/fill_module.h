#pragma once
// Filling the networks of quality measures, which only ever run forward.

#include <functional>
#include <string>
#include <torch/nn/module.h>

#include "weights/state_dict.h"

namespace sr {

/// Copies `weights`, whose keys are the module's own names, into its parameters and buffers (float32), and
/// puts it into eval mode without gradients. Keys for which `spare` holds are left aside: what official
/// checkpoints carry and the module has no use for, or computes by itself. Throws Error that lists missing,
/// unexpected and misshapen keys; nothing is changed then.
void fill_module(torch::nn::Module& module, const StateDict& weights,
                 const std::function<bool(const std::string&)>& spare = {});

}  // namespace sr
