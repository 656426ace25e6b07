#pragma once
// A RAM of a few channels, for the tests of what stands on it.

#include "nets/fill_module.h"
#include "nets/ram.h"
#include "nets_testing.h"

namespace sr::testing {

/// Three stages: windows of four that shift, one window, one smaller window.
inline RamConfig tiny_ram_config() {
  RamConfig config;
  config.swin.image_size = 32;
  config.swin.features = 8;
  config.swin.depths = {2, 1, 2};
  config.swin.heads = {1, 2, 4};
  config.swin.window = 4;
  config.head = {.features = 8, .memory_features = 12, .heads = 4, .mlp_features = 16};
  config.classes = 5;
  config.label_features = 6;
  return config;
}

/// The tensors of such a RAM, LoRA not among them.
inline StateDict tiny_ram_weights(const RamConfig& config = tiny_ram_config()) {
  Ram ram(config);
  randomise(ram);
  return tensors_of(ram);
}

}  // namespace sr::testing
