#include "nets/swin.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "nets/keys.h"
#include "nets/layers.h"

namespace sr {
namespace {

constexpr double kNormEpsilon = 1e-5;

void check(const SwinConfig& config) {
  if (config.depths.empty() || config.depths.size() != config.heads.size())
    throw Error(fmt::format("Swin with {} stages needs as many numbers of heads, not {}",
                            config.depths.size(), config.heads.size()));
  if (config.patch < 1 || config.window < 1) throw Error("Swin needs patches and windows of at least 1");
  for (size_t i = 0; i < config.stages(); ++i) {
    const int64_t side = config.side(i), window = std::min(config.window, side), heads = config.heads[i];
    if (side < 1 || side % window != 0)
      throw Error(
          fmt::format("Swin cannot divide {} x {} tokens into windows of {}", side, side, config.window));
    if (heads < 1 || config.channels(i) % heads != 0)
      throw Error(fmt::format("Swin cannot divide {} features among {} heads", config.channels(i), heads));
  }
}

WindowPlan on_device(const WindowPlan& plan, const at::Device& device) {
  WindowPlan moved = plan;
  moved.positions = plan.positions.to(device);
  if (plan.mask.defined()) moved.mask = plan.mask.to(device);
  return moved;
}

// --- what the keys tell ----------------------------------------------------------------------------

/// "PREFIXlayers.STAGE.blocks.BLOCK.REST".
std::string block_key(const std::string& prefix, size_t stage, int64_t block, const char* rest) {
  return fmt::format("{}layers.{}.blocks.{}.{}", prefix, stage, block, rest);
}

int64_t window_of(const StateDict& weights, const std::string& prefix, size_t stage) {
  const std::string key = block_key(prefix, stage, 0, "attn.relative_position_bias_table");
  return (keys::square_root(keys::extent(weights, key, 0)) + 1) / 2;
}

/// A mask has one entry a window.
int64_t image_side(const StateDict& weights, const std::string& prefix, const SwinConfig& config) {
  for (size_t stage = 0; stage < config.stages(); ++stage) {
    const std::string mask = block_key(prefix, stage, 1, "attn_mask");
    if (keys::has(weights, mask))
      return (keys::square_root(keys::extent(weights, mask, 0)) * config.window * config.patch) << stage;
  }
  const size_t last = config.stages() - 1;
  return (window_of(weights, prefix, last) * config.patch) << last;
}

}  // namespace

SwinLayerConfig SwinConfig::layer(size_t stage, int64_t index) const {
  const int64_t width = channels(stage);
  return {.features = width,
          .heads = heads.at(stage),
          .window = std::min(window, side(stage)),
          .mlp_features = static_cast<int64_t>(static_cast<double>(width) * mlp_ratio),
          .shifted = index % 2 == 1,
          .path_drop = rising_path_drop(path_drop_rate, depths, stage, index),
          .lora = lora};
}

PatchMerging::PatchMerging(int64_t channels)
    : norm(register_module("norm", std::make_shared<LayerNorm>(4 * channels, kNormEpsilon))),
      reduction(register_module("reduction",
                                std::make_shared<Linear>(4 * channels, 2 * channels, /*with_bias=*/false))) {}

Tensor PatchMerging::forward(const Tensor& map) const {
  const int64_t height = map.size(1) / 2, width = map.size(2) / 2, channels = map.size(3);
  // Of the four, the two of a column come first.
  const Tensor fours = map.view({-1, height, 2, width, 2, channels})
                           .permute({0, 1, 3, 4, 2, 5})
                           .reshape({-1, height, width, 4 * channels});
  return reduction->forward(norm->forward(fours)).to(map.scalar_type());
}

SwinStage::SwinStage(const SwinConfig& config, size_t index)
    : windows_(plan_square(config.side(index), config.window)) {
  for (int64_t i = 0; i < config.depths[index]; ++i)
    blocks.push_back(std::make_shared<SwinLayer>(config.layer(index, i)));
  register_list(*this, "blocks", blocks);
  if (index + 1 == config.stages()) return;
  downsample = register_module("downsample", std::make_shared<PatchMerging>(config.channels(index)));
}

Tensor SwinStage::forward(const Tensor& map) const {
  const WindowPlan plan = on_device(windows_, map.device());
  Tensor x = map;
  for (const auto& block : blocks) x = block->forward(x, plan);
  return downsample ? downsample->forward(x) : x;
}

Swin::Swin(const SwinConfig& config) : config_(config) {
  check(config);
  const auto patch = register_container(*this, "patch_embed");
  projection_ = std::make_shared<Conv2d>(
      3, config.features,
      ConvOptions{.kernel = config.patch, .stride = config.patch, .padding = 0, .groups = 1});
  patch->register_module("proj", projection_);
  patch_norm_ = patch->register_module("norm", std::make_shared<LayerNorm>(config.features, kNormEpsilon));
  for (size_t i = 0; i < config.stages(); ++i) layers_.push_back(std::make_shared<SwinStage>(config, i));
  register_list(*this, "layers", layers_);
  norm_ = register_module("norm",
                          std::make_shared<LayerNorm>(config.channels(config.stages() - 1), kNormEpsilon));
}

Tensor Swin::embed(const Tensor& images) const {
  const bool fits = images.dim() == 4 && images.size(1) == 3 && images.size(2) == config_.image_size &&
                    images.size(3) == config_.image_size;
  if (!fits)
    throw Error(fmt::format("this Swin takes images [N,3,{0},{0}], not [{1}]", config_.image_size,
                            fmt::join(images.sizes(), ",")));
  const Tensor patches = projection_->forward(images).permute({0, 2, 3, 1}).contiguous();
  return patch_norm_->forward(patches);
}

Tensor Swin::forward(const Tensor& images) const {
  Tensor x = embed(images);
  for (const auto& stage : layers_) x = stage->forward(x);
  return norm_->forward(x).flatten(1, 2);
}

SwinConfig swin_config(const StateDict& weights, const std::string& prefix) {
  SwinConfig config;
  const std::string projection = prefix + "patch_embed.proj.weight";
  config.features = keys::extent(weights, projection, 0);
  config.patch = keys::extent(weights, projection, 2);
  config.depths.clear();
  config.heads.clear();
  for (size_t stage = 0; stage < keys::children(weights, prefix + "layers.").size(); ++stage) {
    config.depths.push_back(keys::count(weights, fmt::format("{}layers.{}.blocks.", prefix, stage)));
    config.heads.push_back(
        keys::extent(weights, block_key(prefix, stage, 0, "attn.relative_position_bias_table"), 1));
  }
  config.window = window_of(weights, prefix, 0);
  config.mlp_ratio =
      static_cast<double>(keys::extent(weights, block_key(prefix, 0, 0, "mlp.fc1.weight"), 0)) /
      static_cast<double>(config.features);
  config.image_size = image_side(weights, prefix, config);
  return config;
}

}  // namespace sr
