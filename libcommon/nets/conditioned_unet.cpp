#include "nets/conditioned_unet.h"

#include <fmt/format.h>

#include "core/error.h"

namespace sr {
namespace {

/// maps += added.
void add(const UnetMaps& added, UnetMaps& maps) {
  if (added.skips.empty()) return;
  if (added.skips.size() != maps.skips.size()) {
    throw Error(fmt::format("the ControlNet answers with {} maps, and the U-Net takes {}", added.skips.size(),
                            maps.skips.size()));
  }
  for (size_t i = 0; i < maps.skips.size(); ++i) maps.skips[i] = maps.skips[i] + added.skips[i];
  maps.middle = maps.middle + added.middle;
}

}  // namespace

ConditionedUnet::ConditionedUnet(const ConditionedUnetConfig& config)
    : UnetEncoder("U-Net", config.encoder), config_(config) {
  const auto& encoder = config.encoder;
  auto skips = skip_channels(encoder);
  int64_t channels = encoder.channels.back();
  for (size_t i = 0; i < encoder.levels(); ++i) {
    UnetBlockConfig block = level_config(encoder, encoder.levels() - 1 - i);
    for (int64_t layer = 0; layer <= encoder.layers; ++layer) {
      block.inputs.push_back(channels + skips.back());
      skips.pop_back();
      channels = block.channels;
    }
    block.attending = config.up_attends[i] ? block.inputs.size() : 0;
    up_blocks_.push_back(std::make_shared<UpBlock>(block, /*upsamples=*/i + 1 < encoder.levels()));
  }
  register_list(*this, "up_blocks", up_blocks_);
  conv_norm_out_ = register_module("conv_norm_out",
                                   std::make_shared<GroupNorm>(encoder.groups, channels, encoder.epsilon));
  conv_out_ = register_module("conv_out", std::make_shared<Conv2d>(channels, config.out_channels));
}

UnetConditions ConditionedUnet::prepare(const Tensor& text, const Tensor& image_tokens) const {
  UnetConditions conditions = UnetEncoder::prepare(text, image_tokens);
  for (const auto& block : up_blocks_) conditions.up.push_back(block->remember(text, image_tokens));
  return conditions;
}

void ConditionedUnet::set_recomputing(bool on) {
  UnetEncoder::set_recomputing(on);
  for (const auto& block : up_blocks_) block->set_recomputing(on);
}

Tensor ConditionedUnet::forward(const Tensor& latents, const Tensor& timesteps,
                                const UnetConditions& conditions, const UnetMaps& added) const {
  const Tensor time = embed_time(timesteps);
  UnetMaps maps = encode(enter(latents), time, conditions);
  add(added, maps);
  Tensor x = maps.middle;
  for (size_t i = 0; i < up_blocks_.size(); ++i)
    x = up_blocks_[i]->forward(x, maps.skips, time, conditions.up[i]);
  return conv_out_->forward(conv_norm_out_->silu(x, conv_out_->weight.scalar_type())).to(at::kFloat);
}

bool is_image_attention(const std::string& key) {
  return key.find(".image_attentions.") != std::string::npos;
}

}  // namespace sr
