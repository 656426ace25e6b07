#pragma once
// What diffusers' config.json says of SeeSR's U-Net and ControlNet, as far as these networks are built here.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace sr {

/// The way down and the middle, which both networks have. Missing keys have diffusers' defaults (v0.21.0),
/// which are these; the lists go from the first level, the widest map, to the last.
struct UnetEncoderConfig {
  int64_t in_channels = 4;                                 ///< of the latents
  std::vector<int64_t> channels = {320, 640, 1280, 1280};  ///< `block_out_channels`
  std::vector<int64_t> heads = {8, 8, 8, 8};               ///< `attention_head_dim`, which is no size
  std::vector<bool> attends = {true, true, true, false};   ///< which of `down_block_types` have transformers
  int64_t layers = 2;                                      ///< of each level
  int64_t text_features = 1280;                            ///< `cross_attention_dim`
  int64_t image_features = 0;  ///< of the image tokens; 0: the network has no `image_attentions`
  int64_t groups = 32;         ///< of the norms
  double epsilon = 1e-5;       ///< of the norms, the transformers' apart
  bool linear_projection = false;

  size_t levels() const { return channels.size(); }
  int64_t time_features() const { return 4 * channels.front(); }
  bool operator==(const UnetEncoderConfig&) const = default;
};

struct ConditionedUnetConfig {
  UnetEncoderConfig encoder;
  int64_t out_channels = 4;
  std::vector<bool> up_attends = {false, true, true, true};  ///< from the last level to the first

  bool operator==(const ConditionedUnetConfig&) const = default;
};

struct ControlNetConfig {
  UnetEncoderConfig encoder;
  int64_t picture_channels = 3;
  std::vector<int64_t> picture_features = {16, 32, 96, 256};  ///< each next one at half the side

  bool operator==(const ControlNetConfig&) const = default;
};

/// From a parsed unet/config.json, that of SD2 or of SeeSR. Throws Error that names the key and its value
/// where they ask for what is not built here, or don't go together.
ConditionedUnetConfig conditioned_unet_config(const nlohmann::json& json);

/// The same of controlnet/config.json.
ControlNetConfig controlnet_config(const nlohmann::json& json);

}  // namespace sr
