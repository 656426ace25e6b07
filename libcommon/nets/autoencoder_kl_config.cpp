#include "nets/autoencoder_kl_config.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace sr {
namespace {

using Json = nlohmann::json;

[[noreturn]] void refuse(const std::string& key, const Json& value, const std::string& reason) {
  throw Error(fmt::format("the autoencoder's configuration has {} = {}, {}", key, value.dump(), reason));
}

template <class Value>
Value value_of(const Json& json, const std::string& key) {
  const auto found = json.find(key);
  if (found == json.end()) throw Error(fmt::format("the autoencoder's configuration lacks {}", key));
  try {
    return found->get<Value>();
  } catch (const Json::exception&) {
    refuse(key, *found, "which cannot be read");
  }
}

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
  AutoencoderKlConfig config{.channels = value_of<std::vector<int64_t>>(json, "block_out_channels"),
                             .layers = value_of<int64_t>(json, "layers_per_block"),
                             .latents = value_of<int64_t>(json, "latent_channels"),
                             .in_channels = value_of<int64_t>(json, "in_channels"),
                             .out_channels = value_of<int64_t>(json, "out_channels"),
                             .groups = value_of<int64_t>(json, "norm_num_groups")};
  if (json.contains("scaling_factor")) config.scale = value_of<double>(json, "scaling_factor");
  const Json only_ones = only_values(config.channels.size());
  for (const auto& [key, only] : only_ones.items()) {
    const auto found = json.find(key);
    if (found != json.end() && *found != only)
      refuse(key, *found, fmt::format("but only {} is built here", only.dump()));
  }
  require_buildable(config);
  return config;
}

void require_buildable(const AutoencoderKlConfig& config) {
  const auto positive = [](const char* key, int64_t value) {
    if (value < 1) refuse(key, value, "which is less than 1");
  };
  positive("layers_per_block", config.layers);
  positive("latent_channels", config.latents);
  positive("in_channels", config.in_channels);
  positive("out_channels", config.out_channels);
  positive("norm_num_groups", config.groups);
  const auto fits = [&](int64_t channels) { return channels > 0 && channels % config.groups == 0; };
  if (config.channels.empty() || !std::ranges::all_of(config.channels, fits))
    refuse("block_out_channels", config.channels,
           fmt::format("which are not shared out among {} groups", config.groups));
}

}  // namespace sr
