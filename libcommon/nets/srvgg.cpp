#include "nets/srvgg.h"

#include <fmt/format.h>

#include "core/error.h"
#include "nets/keys.h"
#include "nets/receptive.h"
#include "nets/winograd_training.h"

namespace sr {
namespace {

using Activation = SRVGGConfig::Activation;

constexpr double kLeakySlope = 0.1;

/// One step for both where training has it.
Tensor activate_and_convolve(const SRVGGActivation& activation, const Conv2d& conv, const Tensor& fresh) {
  if (activation.kind == Activation::prelu && winograd_trains(conv.options(), conv.weight, fresh))
    return winograd_conv(fresh, activation.weight, conv.weight, conv.bias);
  return conv.forward(activation.forward(fresh));
}

}  // namespace

SRVGGActivation::SRVGGActivation(Activation kind, int64_t features) : kind(kind) {
  if (kind == Activation::prelu) weight = register_parameter("weight", torch::zeros({features}));
}

Tensor SRVGGActivation::forward(Tensor fresh) const {
  switch (kind) {
    case Activation::prelu: return at::prelu(fresh, weight.to(fresh.scalar_type()));
    case Activation::relu: return relu_in_place(std::move(fresh));
    case Activation::leaky_relu: break;
  }
  return leaky_relu_in_place(std::move(fresh), kLeakySlope);
}

SRVGGNetCompact::SRVGGNetCompact(const SRVGGConfig& config) : config_(config) {
  auto list = register_container(*this, "body");
  const auto add = [&list](auto layer) {
    return list->register_module(std::to_string(list->children().size()), std::move(layer));
  };
  for (int64_t i = 0; i <= config.convs; ++i) {
    convs.push_back(
        add(std::make_shared<Conv2d>(i == 0 ? config.in_channels : config.features, config.features)));
    activations.push_back(add(std::make_shared<SRVGGActivation>(config.activation, config.features)));
  }
  const int64_t outputs = config.out_channels * config.scale * config.scale;
  convs.push_back(add(std::make_shared<Conv2d>(config.features, outputs)));
}

Tensor SRVGGNetCompact::forward(const Tensor& input) {
  Tensor x = convs.front()->forward(input);
  for (size_t i = 0; i < activations.size(); ++i)
    x = activate_and_convolve(*activations[i], *convs[i + 1], x);
  return at::pixel_shuffle(x, config_.scale) + upsample_nearest(input, config_.scale);
}

NetworkShape SRVGGNetCompact::shape() const {
  ReceptiveRadius radius;
  radius.enlarge(config_.scale).conv(3, config_.convs + 2);
  return {.family = "SRVGGNetCompact",
          .in_channels = static_cast<int>(config_.in_channels),
          .out_channels = static_cast<int>(config_.out_channels),
          .scale = static_cast<int>(config_.scale),
          .multiple = 1,
          .alignment = 1,
          .receptive_radius = radius.pixels(),
          .convolutional = true,
          .activations = 4.0 * static_cast<double>(config_.features)};
}

std::optional<SRVGGConfig> detect_srvgg(const StateDict& weights) {
  const bool fits = keys::has(weights, "body.0.weight") && keys::children(weights, "body.").size() >= 2;
  if (!fits || keys::has(weights, "conv_first.weight")) return std::nullopt;
  SRVGGConfig config;
  config.features = keys::extent(weights, "body.0.weight", 0);
  config.in_channels = keys::extent(weights, "body.0.weight", 1);
  config.activation = keys::has(weights, "body.1.weight") ? Activation::prelu : Activation::relu;
  const int64_t step = config.activation == Activation::prelu ? 1 : 2;  // others have no weights
  const int64_t last = (keys::count(weights, "body.", step) - 1) * step;
  config.convs = (last - 2) / 2;
  const int64_t outputs = keys::extent(weights, fmt::format("body.{}.weight", last), 0);
  // As many channels out as in, unless that leaves no whole scale: then RGB or grey.
  for (const int64_t channels : {config.in_channels, int64_t{3}, int64_t{1}}) {
    config.out_channels = channels;
    config.scale = outputs % channels == 0 ? keys::square_root(outputs / channels) : 0;
    if (config.scale > 0) return config;
  }
  throw Error(
      fmt::format("{} channels before the pixel shuffle fit no scale of a grey or RGB image", outputs));
}

}  // namespace sr
