#include "nets/unet_config.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "core/error.h"

namespace sr {
namespace {

using Json = nlohmann::json;

/// Width of RAM's embeddings, which SeeSR's code has as a number too.
constexpr int64_t ram_features = 512;

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
constexpr std::array informative{"sample_size", "addition_embed_type_num_heads"};

bool is_off(const Json& value) { return value.is_null() || value == false; }

[[noreturn]] void refuse(const std::string& key, const Json& value, const std::string& reason) {
  throw Error(fmt::format("the configuration's {} = {} {}", key, value.dump(), reason));
}

/// Reads a configuration, and remembers which keys it was asked for.
class Reader {
 public:
  Reader(const Json& json, const std::string& class_name) : json_(json) {
    if (!json.is_object()) throw Error("the configuration is no JSON object");
    const auto found = json.find("_class_name");
    if (found != json.end() && *found != class_name) refuse("_class_name", *found, "is not " + class_name);
  }

  template <class T>
  T get(const std::string& key, const T& otherwise) {
    const Json* value = find(key);
    if (!value) return otherwise;
    try {
      return value->get<T>();
    } catch (const Json::exception&) {
      refuse(key, *value, "cannot be read");
    }
  }

  bool flag(const std::string& key) {
    const Json* value = find(key);
    return value && !is_off(*value);
  }

  /// One number for all of `count` levels, or a list of as many.
  std::vector<int64_t> per_level(const std::string& key, size_t count, int64_t otherwise) {
    const Json* value = find(key);
    if (!value || value->is_number()) return std::vector(count, get(key, otherwise));
    return list(key, count, std::vector<int64_t>());
  }

  /// A list of `count`.
  template <class T>
  std::vector<T> list(const std::string& key, size_t count, const std::vector<T>& otherwise) {
    auto values = get(key, otherwise);
    if (values.size() != count)
      throw Error(
          fmt::format("the configuration's {} has {} values for {} levels", key, values.size(), count));
    return values;
  }

  /// Throws Error where a key that nobody asked for has a value that changes the network.
  void check_rest() const {
    const Json only = only_values();
    for (const auto& [key, value] : json_.items()) {
      const bool known = asked_.count(key) != 0 || key.starts_with("_") ||
                         std::ranges::find(informative, key) != informative.end();
      if (known || (only.contains(key) ? value == only.at(key) : is_off(value))) continue;
      refuse(key, value, "is not built here");
    }
  }

 private:
  const Json* find(const std::string& key) {
    asked_.insert(key);
    const auto found = json_.find(key);
    return found == json_.end() ? nullptr : &*found;
  }

  const Json& json_;
  std::set<std::string> asked_;
};

/// Whether levels have transformers, by the names of their blocks: "CrossAttn" before that of plain ones.
std::vector<bool> read_attends(Reader& reader, const std::string& key, const std::string& plain,
                               const std::vector<bool>& otherwise, size_t count) {
  std::vector<std::string> names;
  for (const bool attends : otherwise) names.push_back((attends ? "CrossAttn" : "") + plain);
  std::vector<bool> found;
  for (const std::string& name : reader.list(key, count, names)) {
    if (name != plain && name != "CrossAttn" + plain) refuse(key, name, "is not built here");
    found.push_back(name != plain);
  }
  return found;
}

/// Throws Error where a level's channels cannot be shared out.
void check_shares(const UnetEncoderConfig& config) {
  for (size_t i = 0; i < config.levels(); ++i) {
    for (const int64_t parts : {config.heads[i], config.groups}) {
      if (parts < 1 || config.channels[i] < 1 || config.channels[i] % parts != 0)
        throw Error(fmt::format("the configuration shares {} channels among {}", config.channels[i], parts));
    }
  }
}

UnetEncoderConfig read_encoder(Reader& reader) {
  UnetEncoderConfig config;
  config.in_channels = reader.get("in_channels", config.in_channels);
  config.channels = reader.get("block_out_channels", config.channels);
  if (config.channels.empty()) throw Error("the configuration's block_out_channels has no values");
  config.heads = reader.per_level("attention_head_dim", config.levels(), config.heads[0]);
  config.attends = read_attends(reader, "down_block_types", "DownBlock2D", config.attends, config.levels());
  config.layers = reader.get("layers_per_block", config.layers);
  config.text_features = reader.get("cross_attention_dim", config.text_features);
  config.image_features = reader.flag("use_image_cross_attention") ? ram_features : 0;
  config.groups = reader.get("norm_num_groups", config.groups);
  config.epsilon = reader.get("norm_eps", config.epsilon);
  config.linear_projection = reader.flag("use_linear_projection");
  check_shares(config);
  return config;
}

}  // namespace

ConditionedUnetConfig conditioned_unet_config(const Json& json) {
  Reader reader(json, "UNet2DConditionModel");
  ConditionedUnetConfig config;
  config.encoder = read_encoder(reader);
  config.out_channels = reader.get("out_channels", config.out_channels);
  config.up_attends =
      read_attends(reader, "up_block_types", "UpBlock2D", config.up_attends, config.encoder.levels());
  reader.check_rest();
  return config;
}

ControlNetConfig controlnet_config(const Json& json) {
  Reader reader(json, "ControlNetModel");
  ControlNetConfig config;
  config.encoder = read_encoder(reader);
  config.picture_channels = reader.get("conditioning_channels", config.picture_channels);
  config.picture_features = reader.get("conditioning_embedding_out_channels", config.picture_features);
  if (config.picture_features.empty())
    throw Error("the configuration's conditioning_embedding_out_channels has no values");
  reader.check_rest();
  return config;
}

}  // namespace sr
