// The configuration behind a SwinIR checkpoint's keys and shapes.

#include <fmt/format.h>

#include "core/error.h"
#include "nets/keys.h"
#include "nets/swinir.h"

namespace sr {
namespace {

using Upsampler = SwinIRConfig::Upsampler;

std::string block_key(int64_t group, int64_t block, const char* rest) {
  return fmt::format("layers.{}.residual_group.blocks.{}.{}", group, block, rest);
}

void detect_groups(const StateDict& weights, SwinIRConfig& config) {
  config.depths.clear();
  config.heads.clear();
  for (const int64_t group : keys::children(weights, "layers.")) {
    config.depths.push_back(keys::count(weights, fmt::format("layers.{}.residual_group.blocks.", group)));
    config.heads.push_back(
        keys::extent(weights, block_key(group, 0, "attn.relative_position_bias_table"), 1));
  }
}

void detect_layers(const StateDict& weights, SwinIRConfig& config) {
  const int64_t positions = keys::extent(weights, block_key(0, 0, "attn.relative_position_bias_table"), 0);
  config.window = (keys::square_root(positions) + 1) / 2;
  const int64_t hidden = keys::extent(weights, block_key(0, 0, "mlp.fc1.weight"), 0);
  config.mlp_ratio = static_cast<double>(hidden) / static_cast<double>(config.embedding);
  config.qkv_bias = keys::has(weights, block_key(0, 0, "attn.qkv.bias"));
  config.patch_norm = keys::has(weights, "patch_embed.norm.weight");
  config.position_embedding = keys::has(weights, "absolute_pos_embed");
}

/// Side of the training patches, taken for square: a mask has one entry a window. A file with buffers but
/// without masks is of a network whose patches are one window; one without any buffers had them stripped.
int64_t image_side(const StateDict& weights, const SwinIRConfig& config) {
  if (config.position_embedding) {
    return keys::square_root(keys::extent(weights, "absolute_pos_embed", 1));
  }
  for (size_t group = 0; group < config.depths.size(); ++group) {
    const std::string mask = block_key(static_cast<int64_t>(group), 1, "attn_mask");
    if (keys::has(weights, mask))
      return std::max<int64_t>(keys::square_root(keys::extent(weights, mask, 0)), 2) * config.window;
  }
  return keys::has(weights, block_key(0, 0, "attn.relative_position_index")) ? config.window : 64;
}

void detect_upsampler(const StateDict& weights, SwinIRConfig& config) {
  if (keys::has(weights, "conv_up1.weight")) {
    config.upsampler = Upsampler::nearest_conv;
    config.scale = keys::has(weights, "conv_up2.weight") ? 4 : 2;
  } else if (keys::has_prefix(weights, "conv_before_upsample.")) {
    config.upsampler = Upsampler::shuffle;
    config.scale = keys::shuffle_scale(weights);
  } else if (keys::has(weights, "upsample.0.weight")) {
    config.upsampler = Upsampler::shuffle_direct;
    config.scale = keys::square_root(keys::extent(weights, "upsample.0.weight", 0) / config.channels);
  } else {
    config.upsampler = Upsampler::none;
    config.scale = 1;
  }
}

}  // namespace

std::optional<SwinIRConfig> detect_swinir(const StateDict& weights) {
  if (!keys::has(weights, block_key(0, 0, "attn.relative_position_bias_table"))) return std::nullopt;
  SwinIRConfig config;
  config.embedding = keys::extent(weights, "conv_first.weight", 0);
  config.channels = keys::extent(weights, "conv_first.weight", 1);
  detect_groups(weights, config);
  detect_layers(weights, config);
  detect_upsampler(weights, config);
  config.three_convs = keys::has(weights, "conv_after_body.0.weight");
  config.image_range = config.upsampler == Upsampler::none && config.window == 7 ? 255 : 1;
  config.image_size.fill(image_side(weights, config));
  return config;
}

}  // namespace sr
