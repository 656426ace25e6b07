#include "nets/autoencoder_kl_config.h"

#include <algorithm>
#include <fmt/format.h>

#include "nets/config_reader.h"

namespace sr {
namespace {

using Json = nlohmann::json;

/// Keys that there is one value of, where they are not left out; the last six are of later versions.
Json only_values(size_t levels) {
  return {{"_class_name", "AutoencoderKL"},
          {"act_fn", "silu"},
          {"down_block_types", Json(levels, Json("DownEncoderBlock2D"))},
          {"up_block_types", Json(levels, Json("UpDecoderBlock2D"))},
          {"use_quant_conv", true},
          {"use_post_quant_conv", true},
          {"mid_block_add_attention", true},
          {"shift_factor", nullptr},
          {"latents_mean", nullptr},
          {"latents_std", nullptr}};
}

}  // namespace

AutoencoderKlConfig autoencoder_kl_config(const Json& json) {
  ConfigReader reader(json);
  AutoencoderKlConfig config{.channels = reader.counts("block_out_channels"),
                             .layers = reader.count("layers_per_block"),
                             .latents = reader.count("latent_channels"),
                             .in_channels = reader.count("in_channels"),
                             .out_channels = reader.count("out_channels"),
                             .groups = reader.count("norm_num_groups")};
  config.scale = reader.get("scaling_factor", config.scale);
  const Json only_ones = only_values(config.channels.size());
  for (const auto& [key, only] : only_ones.items()) reader.require(key, only);
  require_buildable(config);
  return config;
}

void require_buildable(const AutoencoderKlConfig& config) {
  for (const auto& [key, value] :
       {std::pair{"layers_per_block", config.layers}, {"norm_num_groups", config.groups}}) {
    if (value < 1) ConfigReader::refuse(key, value, "which is less than 1");
  }
  const auto fits = [&](int64_t channels) { return channels > 0 && channels % config.groups == 0; };
  if (config.channels.empty() || !std::ranges::all_of(config.channels, fits))
    ConfigReader::refuse("block_out_channels", config.channels,
                         fmt::format("which are not shared out among {} groups", config.groups));
}

}  // namespace sr
