#pragma once
// How new networks get their weights. The generator must be of the device where the module is: whoever wants
// the same weights everywhere draws on the CPU, and moves the module then.

#include <torch/nn/module.h>

#include "core/torch.h"

namespace sr {

/// Every layer below `module` as PyTorch begins: convolutions and linear layers uniform within
/// +-1 / sqrt(inputs), biases too; spectral norms with random singular vectors; norms 1 and 0. Parameters
/// that belong to none of these layers stay as they are.
void draw_defaults(torch::nn::Module& module, const at::Generator& generator);

/// pix2pix's start, after `draw_defaults`: weights of all convolutions and linear layers normal around 0,
/// those of batch norms around 1. Official: pix2pix models/networks.py init_weights ("normal").
void draw_normal(torch::nn::Module& module, double deviation, const at::Generator& generator);

/// Biases of all convolutions and linear layers become 0.
void zero_biases(torch::nn::Module& module);

}  // namespace sr
