#include "nets/unet_encoder.h"

namespace sr {

std::vector<int64_t> skip_channels(const UnetEncoderConfig& config) {
  std::vector<int64_t> skips{config.channels.front()};
  for (size_t i = 0; i < config.levels(); ++i) {
    const bool downsamples = i + 1 < config.levels();
    skips.insert(skips.end(), static_cast<size_t>(config.layers) + (downsamples ? 1 : 0), config.channels[i]);
  }
  return skips;
}

UnetBlockConfig level_config(const UnetEncoderConfig& config, size_t level) {
  return {.inputs = {},
          .channels = config.channels[level],
          .attending = 0,
          .time_features = config.time_features(),
          .groups = config.groups,
          .epsilon = config.epsilon,
          .heads = config.heads[level],
          .text_features = config.text_features,
          .image_features = config.image_features,
          .linear_projection = config.linear_projection};
}

UnetEncoder::UnetEncoder(const std::string& name, const UnetEncoderConfig& config)
    : torch::nn::Module(name),
      conv_in_(
          register_module("conv_in", std::make_shared<Conv2d>(config.in_channels, config.channels.front()))),
      time_embedding_(register_module(
          "time_embedding",
          std::make_shared<TimestepEmbedding>(config.channels.front(), config.time_features()))) {
  const size_t last = config.levels() - 1;
  for (size_t i = 0; i <= last; ++i) {
    UnetBlockConfig block = level_config(config, i);
    block.inputs.assign(static_cast<size_t>(config.layers), config.channels[i]);
    block.inputs.front() = config.channels[i == 0 ? 0 : i - 1];
    block.attending = config.attends[i] ? block.inputs.size() : 0;
    down_blocks_.push_back(std::make_shared<DownBlock>(block, /*downsamples=*/i < last));
  }
  register_list(*this, "down_blocks", down_blocks_);
  mid_block_ = register_module("mid_block", std::make_shared<MidBlock>(level_config(config, last)));
}

UnetConditions UnetEncoder::prepare(const Tensor& text, const Tensor& image_tokens) const {
  UnetConditions conditions;
  for (const auto& block : down_blocks_) conditions.down.push_back(block->remember(text, image_tokens));
  conditions.middle = mid_block_->remember(text, image_tokens);
  return conditions;
}

void UnetEncoder::set_recomputing(bool on) {
  for (const auto& block : down_blocks_) block->set_recomputing(on);
  mid_block_->set_recomputing(on);
}

Tensor UnetEncoder::embed_time(const Tensor& timesteps) const {
  return at::silu(time_embedding_->forward(timesteps));
}

UnetMaps UnetEncoder::encode(const Tensor& first, const Tensor& time,
                             const UnetConditions& conditions) const {
  UnetMaps maps;
  maps.skips.push_back(first);
  for (size_t i = 0; i < down_blocks_.size(); ++i) {
    const auto found = down_blocks_[i]->forward(maps.skips.back(), time, conditions.down[i]);
    maps.skips.insert(maps.skips.end(), found.begin(), found.end());
  }
  maps.middle = mid_block_->forward(maps.skips.back(), time, conditions.middle);
  return maps;
}

}  // namespace sr
