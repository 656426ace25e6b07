#include "nets/rrdbnet.h"

#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "core/error.h"
#include "nets/draw.h"
#include "nets/keys.h"
#include "nets/receptive.h"

namespace sr {
namespace {

using Upsampling = RRDBNetConfig::Upsampling;
using Activation = RRDBNetConfig::Activation;

constexpr double kLeakySlope = 0.2;
constexpr double kResidualScale = 0.2;

Tensor activate(Tensor fresh, Activation activation) {
  return activation == Activation::relu ? relu_in_place(std::move(fresh))
                                        : leaky_relu_in_place(std::move(fresh), kLeakySlope);
}

std::shared_ptr<Conv2d> upsampling_conv(Upsampling upsampling, int64_t features, int64_t factor) {
  switch (upsampling) {
    case Upsampling::nearest: return std::make_shared<Conv2d>(features, features);
    case Upsampling::pixel_shuffle: return std::make_shared<Conv2d>(features, features * factor * factor);
    case Upsampling::transposed: break;
  }
  const ConvOptions options{.kernel = factor, .stride = factor, .padding = 0, .transposed = true};
  return std::make_shared<Conv2d>(features, features, options);
}

}  // namespace

RRDBNetConfig RRDBNetConfig::basicsr(int64_t scale) {
  RRDBNetConfig config;
  config.unshuffle = scale == 2 ? 2 : scale == 1 ? 4 : 1;
  return config;
}

int64_t RRDBNetConfig::scale() const {
  const auto product =
      std::accumulate(enlargements.begin(), enlargements.end(), int64_t{1}, std::multiplies<>());
  return product / unshuffle;
}

ResidualDenseBlock::ResidualDenseBlock(const RRDBNetConfig& config) : activation_(config.activation) {
  const auto conv = [&](int64_t before, int64_t out) {
    return register_module(fmt::format("conv{}", before + 1),
                           std::make_shared<Conv2d>(config.features + before * config.growth, out));
  };
  conv1 = conv(0, config.growth);
  conv2 = conv(1, config.growth);
  conv3 = conv(2, config.growth);
  conv4 = conv(3, config.growth);
  conv5 = conv(4, config.features);
}

Tensor ResidualDenseBlock::forward(const Tensor& input) const {
  const Tensor x = conv1->cast(input);  // once, not at each of the five
  const Tensor x1 = activate(conv1->forward(x), activation_);
  const Tensor x2 = activate(conv2->forward(at::cat({x, x1}, 1)), activation_);
  const Tensor x3 = activate(conv3->forward(at::cat({x, x1, x2}, 1)), activation_);
  const Tensor x4 = activate(conv4->forward(at::cat({x, x1, x2, x3}, 1)), activation_);
  return at::add(input, conv5->forward(at::cat({x, x1, x2, x3, x4}, 1)), kResidualScale);
}

void ResidualDenseBlock::draw(const at::Generator& generator) {
  const at::NoGradGuard no_grad;
  for (const auto& conv : {conv1, conv2, conv3, conv4, conv5}) {
    const auto inputs = static_cast<double>(conv->weight.numel() / conv->weight.size(0));
    conv->weight.normal_(0, 0.1 * std::sqrt(2 / inputs), generator);
    conv->bias.zero_();
  }
}

RRDB::RRDB(const RRDBNetConfig& config)
    : rdb1(register_module("rdb1", std::make_shared<ResidualDenseBlock>(config))),
      rdb2(register_module("rdb2", std::make_shared<ResidualDenseBlock>(config))),
      rdb3(register_module("rdb3", std::make_shared<ResidualDenseBlock>(config))) {}

Tensor RRDB::forward(const Tensor& input) const {
  return at::add(input, rdb3->forward(rdb2->forward(rdb1->forward(input))), kResidualScale);
}

void RRDB::draw(const at::Generator& generator) {
  for (const auto& block : {rdb1, rdb2, rdb3}) block->draw(generator);
}

RRDBNet::RRDBNet(const RRDBNetConfig& config) : config_(config) {
  const auto conv = [this](const char* name, int64_t in, int64_t out) {
    return register_module(name, std::make_shared<Conv2d>(in, out));
  };
  const int64_t features = config.features;
  conv_first = conv("conv_first", config.in_channels * config.unshuffle * config.unshuffle, features);
  for (int64_t i = 0; i < config.blocks; ++i) body.push_back(std::make_shared<RRDB>(config));
  register_list(*this, "body", body);
  conv_body = conv("conv_body", features, features);
  register_upsampling();
  conv_hr = conv("conv_hr", features, features);
  conv_last = conv("conv_last", features, config.out_channels);
}

void RRDBNet::register_upsampling() {
  for (size_t i = 0; i < config_.enlargements.size(); ++i) {
    auto conv = upsampling_conv(config_.upsampling, config_.features, config_.enlargements[i]);
    conv_up.push_back(register_module(fmt::format("conv_up{}", i + 1), std::move(conv)));
  }
}

Tensor RRDBNet::enlarge(const Tensor& features, size_t step) const {
  const Conv2d& conv = *conv_up[step];
  const int64_t factor = config_.enlargements[step];
  const Tensor x = conv.cast(features);
  switch (config_.upsampling) {
    case Upsampling::nearest: return activate(conv.forward(upsample_nearest(x, factor)), config_.activation);
    case Upsampling::pixel_shuffle:
      return activate(at::pixel_shuffle(conv.forward(x), factor), config_.activation);
    case Upsampling::transposed: break;
  }
  return activate(conv.forward(x), config_.activation);
}

Tensor RRDBNet::embed(const Tensor& image) const {
  const int64_t factor = config_.unshuffle;
  if (image.size(2) % factor != 0 || image.size(3) % factor != 0) {
    throw Error(fmt::format("RRDBNet x{} takes images whose sides divide by {}, not {}x{}", config_.scale(),
                            factor, image.size(3), image.size(2)));
  }
  const Tensor first = conv_first->forward(factor > 1 ? at::pixel_unshuffle(image, factor) : image);
  return first.to(image.scalar_type());  // the trunk's, whatever the weights'
}

Tensor RRDBNet::reconstruct(const Tensor& first, const Tensor& last) const {
  Tensor x = first + conv_body->forward(last);
  for (size_t step = 0; step < conv_up.size(); ++step) x = enlarge(x, step);
  x = activate(conv_hr->forward(x), config_.activation);
  return conv_last->forward(x).to(first.scalar_type());
}

Tensor RRDBNet::forward(const Tensor& input) {
  const Tensor first = embed(input);
  Tensor x = first;
  for (const auto& block : body) x = run([block](const Tensor& in) { return block->forward(in); }, x);
  return reconstruct(first, x);
}

void RRDBNet::draw(const at::Generator& generator) {
  draw_defaults(*this, generator);
  for (const auto& block : body) block->draw(generator);
}

NetworkShape RRDBNet::shape() const {
  ReceptiveRadius radius;
  radius.conv().conv();  // conv_last, conv_hr
  for (auto factor = config_.enlargements.rbegin(); factor != config_.enlargements.rend(); ++factor) {
    if (config_.upsampling == Upsampling::nearest) radius.conv();
    radius.enlarge(*factor);
    if (config_.upsampling == Upsampling::pixel_shuffle) radius.conv();
  }
  radius.conv().conv(3, 15 * config_.blocks).conv();  // conv_body, three times five a block, conv_first
  radius.unshuffle(config_.unshuffle);
  return {.family = "RRDBNet",
          .in_channels = static_cast<int>(config_.in_channels),
          .out_channels = static_cast<int>(config_.out_channels),
          .scale = static_cast<int>(config_.scale()),
          .multiple = static_cast<int>(config_.unshuffle),
          .alignment = static_cast<int>(config_.unshuffle),
          .receptive_radius = radius.pixels(),
          .convolutional = true,
          .activations = 3.0 * static_cast<double>(config_.features * config_.scale() * config_.scale())};
}

}  // namespace sr
