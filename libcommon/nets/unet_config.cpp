#include "nets/unet_config.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string>

#include "core/error.h"
#include "nets/config_reader.h"

namespace sr {
namespace {

using Json = nlohmann::json;

/// Width of RAM's embeddings, which SeeSR's code has as a number too.
constexpr int64_t kRamFeatures = 512;

/// Keys that these networks know one value of. Null stands for false: what is left out.
Json only_values() {
  return Json::parse(R"({
    "act_fn": "silu", "attention_type": "default", "controlnet_conditioning_channel_order": "rgb",
    "conv_in_kernel": 3, "conv_out_kernel": 3, "downsample_padding": 1, "dropout": 0,
    "flip_sin_to_cos": true, "freq_shift": 0, "mid_block_scale_factor": 1,
    "mid_block_type": "UNetMidBlock2DCrossAttn", "resnet_out_scale_factor": 1,
    "resnet_time_scale_shift": "default", "time_embedding_type": "positional",
    "transformer_layers_per_block": 1
  })");
}

/// Keys that change nothing: training's size, and an option of what is left out.
constexpr std::array kInformative{"sample_size", "addition_embed_type_num_heads"};

bool is_off(const Json& value) { return value.is_null() || value == false; }

/// `values` of a key, of which there must be one for each level.
template <class T>
std::vector<T> for_levels(const std::string& key, std::vector<T> values, size_t count) {
  if (values.size() != count)
    ConfigReader::refuse(key, values, fmt::format("which are {} values for {} levels", values.size(), count));
  return values;
}

/// A list, or one number for all levels.
std::vector<int64_t> per_level(ConfigReader& reader, const std::string& key, size_t count,
                               int64_t otherwise) {
  const Json* value = reader.find(key);
  if (!value || value->is_number()) return std::vector(count, reader.count(key, otherwise));
  return for_levels(key, reader.counts(key), count);
}

bool flag(ConfigReader& reader, const std::string& key) {
  const Json* value = reader.find(key);
  return value && !is_off(*value);
}

/// Throws Error where a key that nobody asked for has a value that changes the network.
void check_rest(const ConfigReader& reader, const Json& json) {
  const Json only = only_values();
  for (const auto& [key, value] : json.items()) {
    const bool known = reader.asked().count(key) != 0 || key.starts_with("_") ||
                       std::ranges::find(kInformative, key) != kInformative.end();
    if (known || (only.contains(key) ? value == only.at(key) : is_off(value))) continue;
    ConfigReader::refuse(key, value, "which is not built here");
  }
}

/// Whether levels have transformers, by the names of their blocks: "CrossAttn" before that of plain ones.
std::vector<bool> read_attends(ConfigReader& reader, const std::string& key, const std::string& plain,
                               const std::vector<bool>& otherwise, size_t count) {
  std::vector<std::string> names;
  for (const bool attends : otherwise) names.push_back((attends ? "CrossAttn" : "") + plain);
  std::vector<bool> found;
  for (const std::string& name : for_levels(key, reader.get(key, names), count)) {
    if (name != plain && name != "CrossAttn" + plain)
      ConfigReader::refuse(key, name, "which is not built here");
    found.push_back(name != plain);
  }
  return found;
}

/// Throws Error where a level's channels cannot be shared out.
void check_shares(const UnetEncoderConfig& config) {
  for (size_t i = 0; i < config.levels(); ++i) {
    for (const int64_t parts : {config.heads[i], config.groups}) {
      if (parts < 1 || config.channels[i] < 1 || config.channels[i] % parts != 0)
        throw Error(fmt::format("{} channels are not shared out among {}", config.channels[i], parts));
    }
  }
}

UnetEncoderConfig read_encoder(ConfigReader& reader) {
  UnetEncoderConfig config;
  config.in_channels = reader.count("in_channels", config.in_channels);
  config.channels = reader.counts("block_out_channels", config.channels);
  config.heads = per_level(reader, "attention_head_dim", config.levels(), config.heads[0]);
  config.attends = read_attends(reader, "down_block_types", "DownBlock2D", config.attends, config.levels());
  config.layers = reader.count("layers_per_block", config.layers);
  config.text_features = reader.count("cross_attention_dim", config.text_features);
  config.image_features = flag(reader, "use_image_cross_attention") ? kRamFeatures : 0;
  config.groups = reader.count("norm_num_groups", config.groups);
  config.epsilon = reader.number("norm_eps", 0, 1, config.epsilon);
  config.linear_projection = flag(reader, "use_linear_projection");
  check_shares(config);
  return config;
}

}  // namespace

ConditionedUnetConfig conditioned_unet_config(const Json& json) {
  ConfigReader reader(json);
  reader.require("_class_name", "UNet2DConditionModel");
  ConditionedUnetConfig config;
  config.encoder = read_encoder(reader);
  config.out_channels = reader.count("out_channels", config.out_channels);
  config.up_attends =
      read_attends(reader, "up_block_types", "UpBlock2D", config.up_attends, config.encoder.levels());
  check_rest(reader, json);
  return config;
}

ControlNetConfig controlnet_config(const Json& json) {
  ConfigReader reader(json);
  reader.require("_class_name", "ControlNetModel");
  ControlNetConfig config;
  config.encoder = read_encoder(reader);
  config.picture_channels = reader.count("conditioning_channels", config.picture_channels);
  config.picture_features = reader.counts("conditioning_embedding_out_channels", config.picture_features);
  check_rest(reader, json);
  return config;
}

}  // namespace sr
