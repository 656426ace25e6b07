#include "nets/msrresnet.h"

#include <fmt/format.h>

#include "core/error.h"
#include "nets/keys.h"
#include "nets/receptive.h"

namespace sr {
namespace {

constexpr double kLeakySlope = 0.1;

Tensor activate(Tensor fresh) { return leaky_relu_in_place(std::move(fresh), kLeakySlope); }

}  // namespace

MSRResNet::MSRResNet(const MSRResNetConfig& config)
    : config_(config), factors_(shuffle_factors(config.scale)) {
  if (config.scale > 4) throw Error(fmt::format("MSRResNet has no x{} form", config.scale));
  const int64_t features = config.features;
  conv_first = register_module("conv_first", std::make_shared<Conv2d>(config.in_channels, features));
  for (int64_t i = 0; i < config.blocks; ++i) body.push_back(std::make_shared<ResidualBlock>(features));
  register_list(*this, "body", body);
  for (size_t i = 0; i < factors_.size(); ++i) {
    auto conv = std::make_shared<Conv2d>(features, features * factors_[i] * factors_[i]);
    upconv.push_back(register_module(fmt::format("upconv{}", i + 1), std::move(conv)));
  }
  conv_hr = register_module("conv_hr", std::make_shared<Conv2d>(features, features));
  conv_last = register_module("conv_last", std::make_shared<Conv2d>(features, config.out_channels));
}

Tensor MSRResNet::forward(const Tensor& input) {
  Tensor x = activate(conv_first->forward(input)).to(input.scalar_type());
  for (const auto& block : body) x = run([block](const Tensor& in) { return block->forward(in); }, x);
  for (size_t i = 0; i < upconv.size(); ++i) {
    x = activate(at::pixel_shuffle(upconv[i]->forward(x), factors_[i]));
  }
  x = conv_last->forward(activate(conv_hr->forward(x)));
  if (config_.scale == 1) return x + input;
  const int64_t height = input.size(2) * config_.scale, width = input.size(3) * config_.scale;
  return x + at::upsample_bilinear2d(input, {height, width}, /*align_corners=*/false);
}

NetworkShape MSRResNet::shape() const {
  ReceptiveRadius radius;
  radius.conv().conv();
  for (auto factor = factors_.rbegin(); factor != factors_.rend(); ++factor) radius.enlarge(*factor).conv();
  radius.conv(3, 2 * config_.blocks).conv();
  return {.family = "MSRResNet",
          .in_channels = static_cast<int>(config_.in_channels),
          .out_channels = static_cast<int>(config_.out_channels),
          .scale = static_cast<int>(config_.scale),
          .multiple = 1,
          .alignment = 1,
          .receptive_radius = radius.pixels(),
          .convolutional = true,
          .activations = 3.0 * static_cast<double>(config_.features * config_.scale * config_.scale)};
}

std::optional<MSRResNetConfig> detect_msrresnet(const StateDict& weights) {
  if (!keys::has(weights, "body.0.conv1.weight") || !keys::has(weights, "conv_hr.weight")) {
    return std::nullopt;
  }
  MSRResNetConfig config;
  config.features = keys::extent(weights, "conv_first.weight", 0);
  config.in_channels = keys::extent(weights, "conv_first.weight", 1);
  config.out_channels = keys::extent(weights, "conv_last.weight", 0);
  config.blocks = keys::count(weights, "body.");
  config.scale = 1;
  for (const auto* key : {"upconv1.weight", "upconv2.weight"}) {
    if (!keys::has(weights, key)) continue;
    config.scale *= keys::square_root(keys::extent(weights, key, 0) / config.features);
  }
  return config;
}

}  // namespace sr
