#include "nets/resnet_block.h"

namespace sr {

ResnetBlock::ResnetBlock(const ResnetBlockConfig& config)
    : norm1_(register_module("norm1", std::make_shared<GroupNorm>(config.groups, config.in, config.epsilon))),
      norm2_(
          register_module("norm2", std::make_shared<GroupNorm>(config.groups, config.out, config.epsilon))),
      conv1_(register_module("conv1", std::make_shared<Conv2d>(config.in, config.out))),
      conv2_(register_module("conv2", std::make_shared<Conv2d>(config.out, config.out))) {
  if (config.in != config.out) {
    conv_shortcut_ =
        register_module("conv_shortcut", std::make_shared<Conv2d>(config.in, config.out, pointwise()));
  }
  if (config.time_features > 0) {
    time_emb_proj_ =
        register_module("time_emb_proj", std::make_shared<Linear>(config.time_features, config.out));
  }
}

Tensor ResnetBlock::forward(const Tensor& map, const Tensor& time) const {
  const Tensor inner = first(norm1_->silu(map, type()), time);
  return across(map) + second(norm2_->silu(inner, type()));
}

Tensor ResnetBlock::first(const Tensor& normed, const Tensor& time) const {
  const Tensor x = conv1_->forward(normed);
  return time_emb_proj_ ? x + time_emb_proj_->forward(time).unsqueeze(-1).unsqueeze(-1) : x;
}

Tensor ResnetBlock::across(const Tensor& map) const {
  return conv_shortcut_ ? conv_shortcut_->forward(map).to(map.scalar_type()) : map;
}

Downsample::Downsample(int64_t channels, bool padded_all_round)
    : conv_(register_module(
          "conv", std::make_shared<Conv2d>(channels, channels,
                                           ConvOptions{.stride = 2, .padding = padded_all_round ? 1 : 0}))),
      padded_all_round_(padded_all_round) {}

Tensor Downsample::forward(const Tensor& map) const {
  const Tensor padded = padded_all_round_ ? map : at::constant_pad_nd(conv_->cast(map), {0, 1, 0, 1}, 0);
  return conv_->forward(padded).to(map.scalar_type());
}

Upsample::Upsample(int64_t channels)
    : conv_(register_module("conv", std::make_shared<Conv2d>(channels, channels))) {}

Tensor Upsample::forward(const Tensor& map, int64_t height, int64_t width) const {
  return conv_->forward(at::upsample_nearest2d(conv_->cast(map), {height, width})).to(map.scalar_type());
}

}  // namespace sr
