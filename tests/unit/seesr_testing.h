#pragma once
// SeeSR's networks of a few channels, for the tests of what trains them.

#include <ATen/CPUGeneratorImpl.h>

#include "nets/autoencoder_kl.h"
#include "nets/controlnet.h"
#include "nets/fill_module.h"
#include "nets_testing.h"

namespace sr::testing {

/// Standard normal, the same for the same seed.
inline Tensor drawn(at::IntArrayRef shape, std::uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
}

/// Two levels, with transformers at the first.
inline ConditionedUnetConfig tiny_unet_config() {
  return {.encoder = {.channels = {8, 16},
                      .heads = {2, 4},
                      .attends = {true, false},
                      .layers = 1,
                      .text_features = 12,
                      .image_features = 12,
                      .groups = 4,
                      .linear_projection = true},
          .up_attends = {false, true}};
}

inline std::shared_ptr<ConditionedUnet> tiny_unet() {
  auto unet = std::make_shared<ConditionedUnet>(tiny_unet_config());
  randomise(*unet);
  return unet;
}

inline std::shared_ptr<ControlNet> tiny_controlnet() {
  auto controlnet = std::make_shared<ControlNet>(
      ControlNetConfig{.encoder = tiny_unet_config().encoder, .picture_features = {4, 4, 8, 8}});
  randomise(*controlnet);
  return controlnet;
}

inline std::shared_ptr<AutoencoderKl> tiny_vae() {
  const AutoencoderKlConfig config{.channels = {4, 4, 8, 8}, .layers = 1, .groups = 4};
  AutoencoderKl vae(config);
  randomise(vae);
  return make_autoencoder_kl(config, tensors_of(vae));
}

}  // namespace sr::testing
