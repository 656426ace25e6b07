#include "nets/edsr.h"

#include "nets/keys.h"
#include "nets/receptive.h"

namespace sr {

ResidualBlock::ResidualBlock(int64_t features, double residual_scale)
    : conv1(register_module("conv1", std::make_shared<Conv2d>(features, features))),
      conv2(register_module("conv2", std::make_shared<Conv2d>(features, features))),
      residual_scale_(residual_scale) {}

Tensor ResidualBlock::forward(const Tensor& input) const {
  return at::add(input, conv2->forward(relu_in_place(conv1->forward(input))), residual_scale_);
}

EDSR::EDSR(const EDSRConfig& config) : config_(config) {
  const int64_t features = config.features;
  conv_first = register_module("conv_first", std::make_shared<Conv2d>(config.in_channels, features));
  for (int64_t i = 0; i < config.blocks; ++i) {
    body.push_back(std::make_shared<ResidualBlock>(features, config.residual_scale));
  }
  register_list(*this, "body", body);
  conv_after_body = register_module("conv_after_body", std::make_shared<Conv2d>(features, features));
  upsample = register_module(
      "upsample", std::make_shared<ShuffleUpsampler>(features, features, shuffle_factors(config.scale)));
  conv_last = register_module("conv_last", std::make_shared<Conv2d>(features, config.out_channels));
}

Tensor EDSR::forward(const Tensor& input) {
  const Tensor mean = at::tensor(config_.mean, input.options()).view({1, -1, 1, 1});
  const Tensor first = conv_first->forward((input - mean) * config_.image_range).to(input.scalar_type());
  Tensor x = first;
  for (const auto& block : body) x = run([block](const Tensor& in) { return block->forward(in); }, x);
  x = first + conv_after_body->forward(x);
  // Back to the input's type before the division: range 255 would cost a bfloat16 result its last bits.
  x = conv_last->forward(upsample->forward(x)).to(input.scalar_type());
  return x / config_.image_range + mean;
}

NetworkShape EDSR::shape() const {
  ReceptiveRadius radius;
  radius.conv();
  for (auto factor = upsample->factors.rbegin(); factor != upsample->factors.rend(); ++factor) {
    radius.enlarge(*factor).conv();
  }
  radius.conv().conv(3, 2 * config_.blocks).conv();
  return {.family = "EDSR",
          .in_channels = static_cast<int>(config_.in_channels),
          .out_channels = static_cast<int>(config_.out_channels),
          .scale = static_cast<int>(config_.scale),
          .multiple = 1,
          .alignment = 1,
          .receptive_radius = radius.pixels(),
          .convolutional = true,
          .activations = 3.0 * static_cast<double>(config_.features * config_.scale * config_.scale)};
}

std::optional<EDSRConfig> detect_edsr(const StateDict& weights) {
  if (!keys::has(weights, "body.0.conv1.weight") || !keys::has(weights, "conv_after_body.weight")) {
    return std::nullopt;
  }
  EDSRConfig config;
  config.features = keys::extent(weights, "conv_first.weight", 0);
  config.in_channels = keys::extent(weights, "conv_first.weight", 1);
  config.out_channels = keys::extent(weights, "conv_last.weight", 0);
  config.blocks = keys::count(weights, "body.");
  config.scale = keys::shuffle_scale(weights);
  config.residual_scale = config.features >= 256 ? 0.1 : 1;
  return config;
}

}  // namespace sr
