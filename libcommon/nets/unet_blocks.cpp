#include "nets/unet_blocks.h"

#include "nets/recomputed.h"

namespace sr {
namespace {

std::shared_ptr<Transformer2d> transformer(const UnetBlockConfig& config, int64_t context_features) {
  return std::make_shared<Transformer2d>(Transformer2dConfig{.channels = config.channels,
                                                             .context_features = context_features,
                                                             .heads = config.heads,
                                                             .groups = config.groups,
                                                             .linear_projection = config.linear_projection});
}

}  // namespace

UnetBlock::UnetBlock(const UnetBlockConfig& config) {
  std::vector<std::shared_ptr<ResnetBlock>> resnets;
  std::vector<std::shared_ptr<Transformer2d>> attentions, image_attentions;
  for (size_t i = 0; i < config.inputs.size(); ++i) {
    resnets.push_back(std::make_shared<ResnetBlock>(ResnetBlockConfig{.in = config.inputs[i],
                                                                      .out = config.channels,
                                                                      .time_features = config.time_features,
                                                                      .groups = config.groups,
                                                                      .epsilon = config.epsilon}));
    Layer& layer = layers_.emplace_back(Layer{.resnet = resnets.back(), .text = nullptr, .image = nullptr});
    if (i >= config.attending) continue;
    layer.text = attentions.emplace_back(transformer(config, config.text_features));
    if (config.image_features > 0)
      layer.image = image_attentions.emplace_back(transformer(config, config.image_features));
  }
  register_list(*this, "attentions", attentions);
  register_list(*this, "image_attentions", image_attentions);
  register_list(*this, "resnets", resnets);
}

BlockMemory UnetBlock::remember(const Tensor& text, const Tensor& image_tokens) const {
  BlockMemory memory;
  for (const Layer& layer : layers_) {
    memory.push_back(
        {.text = layer.text ? layer.text->remember(text) : Memory{},
         .image = layer.image && image_tokens.defined() ? layer.image->remember(image_tokens) : Memory{}});
  }
  return memory;
}

Tensor UnetBlock::Layer::forward(const Tensor& map, const Tensor& time, const LayerMemory& memory) const {
  Tensor x = resnet->forward(map, time);
  if (text) x = text->forward(x, memory.text);
  if (image && memory.image.key.defined()) x = image->forward(x, memory.image);
  return x;
}

Tensor UnetBlock::run(size_t index, const Tensor& map, const Tensor& time, const BlockMemory& memory) const {
  const Layer& layer = layers_[index];
  if (!recomputing_ || !at::GradMode::is_enabled()) return layer.forward(map, time, memory[index]);
  std::vector<Tensor> inputs{map, time};
  for (const Memory& part : {memory[index].text, memory[index].image}) {
    if (part.key.defined()) inputs.insert(inputs.end(), {part.key, part.value});
  }
  const auto part = [layer](const std::vector<Tensor>& in) {
    return layer.forward(in[0], in[1],
                         {.text = in.size() > 2 ? Memory{in[2], in[3]} : Memory{},
                          .image = in.size() > 4 ? Memory{in[4], in[5]} : Memory{}});
  };
  return recomputed(part, inputs);
}

// --- down ------------------------------------------------------------------------------------------

DownBlock::DownBlock(const UnetBlockConfig& config, bool downsamples) : UnetBlock(config) {
  if (!downsamples) return;
  downsample_ = std::make_shared<Downsample>(config.channels);
  register_list(*this, "downsamplers", std::vector{downsample_});
}

std::vector<Tensor> DownBlock::forward(const Tensor& map, const Tensor& time,
                                       const BlockMemory& memory) const {
  std::vector<Tensor> maps;
  for (size_t i = 0; i < layers(); ++i) maps.push_back(run(i, i == 0 ? map : maps.back(), time, memory));
  if (downsample_) maps.push_back(downsample_->forward(maps.back()));
  return maps;
}

// --- middle ----------------------------------------------------------------------------------------

namespace {

UnetBlockConfig middle(UnetBlockConfig config) {
  config.inputs = {config.channels, config.channels};
  config.attending = 1;
  return config;
}

}  // namespace

MidBlock::MidBlock(UnetBlockConfig config) : UnetBlock(middle(std::move(config))) {}

Tensor MidBlock::forward(const Tensor& map, const Tensor& time, const BlockMemory& memory) const {
  return run(1, run(0, map, time, memory), time, memory);
}

// --- up --------------------------------------------------------------------------------------------

UpBlock::UpBlock(const UnetBlockConfig& config, bool upsamples) : UnetBlock(config) {
  if (!upsamples) return;
  upsample_ = std::make_shared<Upsample>(config.channels);
  register_list(*this, "upsamplers", std::vector{upsample_});
}

Tensor UpBlock::forward(const Tensor& map, std::vector<Tensor>& skips, const Tensor& time,
                        const BlockMemory& memory) const {
  Tensor x = map;
  for (size_t i = 0; i < layers(); ++i) {
    x = run(i, at::cat({x, skips.back()}, 1), time, memory);
    skips.pop_back();
  }
  return upsample_ ? upsample_->forward(x, skips.back().size(2), skips.back().size(3)) : x;
}

}  // namespace sr
