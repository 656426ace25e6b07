#pragma once
// Filling modules with checkpoints' tensors.

#include <functional>
#include <string>
#include <torch/nn/module.h>

#include "weights/state_dict.h"

namespace sr {

/// Parameters and buffers by name: those in use, no copies.
StateDict tensors_of(const torch::nn::Module& module);

/// Copies tensors into those of the same names. Throws Error "`what`: ..." that lists missing, unexpected and
/// misshapen ones; nothing is changed then. For `spare` see copy_weights().
void copy_tensors(const StateDict& values, const StateDict& into, const std::string& what,
                  const std::function<bool(const std::string&)>& spare = {});

/// Copies `weights`, whose keys are the module's own names, into its parameters and buffers (float32), which
/// may be anywhere; whether they learn, and the module's mode, stay as they are. Keys for which `spare` holds
/// are left aside: what official checkpoints carry and the module has no use for, or computes by itself. A
/// batch norm's `num_batches_tracked` may be missing, as in PyTorch. Throws Error that lists missing,
/// unexpected and misshapen keys; nothing is changed then.
void copy_weights(torch::nn::Module& module, const StateDict& weights,
                  const std::function<bool(const std::string&)>& spare = {});

/// The same for networks that only ever run forward: puts the module into eval mode without gradients.
/// Parameters are not copied where the type is right: a mapped file's weights are read when they are first
/// used, and shared by all processes that map it.
void fill_module(torch::nn::Module& module, const StateDict& weights,
                 const std::function<bool(const std::string&)>& spare = {});

}  // namespace sr
