#pragma once
// What diffusers' config.json says of latent diffusion's autoencoder.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace sr {

/// Stable Diffusion's.
struct AutoencoderKlConfig {
  std::vector<int64_t> channels = {128, 256, 512, 512};  ///< `block_out_channels`, of the encoder's levels
  int64_t layers = 2;   ///< `layers_per_block`, of the encoder's levels; the decoder's have one more
  int64_t latents = 4;  ///< `latent_channels`
  int64_t in_channels = 3, out_channels = 3;
  int64_t groups = 32;     ///< `norm_num_groups`
  double scale = 0.18215;  ///< `scaling_factor`: diffusion works on latents times this

  bool operator==(const AutoencoderKlConfig&) const = default;
};

/// From a parsed vae/config.json; `scaling_factor` may be missing, as it is in SD2's. Throws Error that names
/// the key that is missing or asks for what is not built here.
AutoencoderKlConfig autoencoder_kl_config(const nlohmann::json& json);

/// Throws Error that names the key whose values no autoencoder can have.
void require_buildable(const AutoencoderKlConfig& config);

}  // namespace sr
