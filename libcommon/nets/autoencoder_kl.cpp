#include "nets/autoencoder_kl.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/fill_module.h"

namespace sr {
namespace {

/// In the order in which the map goes through them.
std::vector<VaeLevelConfig> levels(VaeHalf::Kind kind, const AutoencoderKlConfig& config) {
  using Then = VaeLevelConfig::Then;
  const bool encodes = kind == VaeHalf::Kind::encoder;
  std::vector<int64_t> channels = config.channels;
  if (!encodes) std::ranges::reverse(channels);
  std::vector<VaeLevelConfig> list;
  for (size_t i = 0; i < channels.size(); ++i) {
    list.push_back({.in = channels[i == 0 ? 0 : i - 1],
                    .out = channels[i],
                    .blocks = config.layers + (encodes ? 0 : 1),
                    .groups = config.groups,
                    .then = encodes ? Then::halve : Then::enlarge});
  }
  list.back().then = Then::stay;
  return list;
}

/// The layer's answer in the type of what it is given, whatever that of its weights.
Tensor in_own_type(const Conv2d& conv, const Tensor& input) {
  return conv.forward(input).to(input.scalar_type());
}

}  // namespace

DiagonalGaussian::DiagonalGaussian(const Tensor& moments) {
  const auto halves = moments.chunk(2, 1);
  mean = halves[0];
  log_variance = halves[1].clamp(-30, 20);
}

VaeHalf::VaeHalf(Kind kind, const AutoencoderKlConfig& config) : kind_(kind) {
  const bool encodes = kind == Kind::encoder;
  const auto list = levels(kind, config);
  const int64_t first = list.front().in, last = list.back().out;
  conv_in_ = register_module("conv_in",
                             std::make_shared<Conv2d>(encodes ? config.in_channels : config.latents, first));
  for (const VaeLevelConfig& level : list) levels_.push_back(std::make_shared<VaeLevel>(level));
  register_list(*this, encodes ? "down_blocks" : "up_blocks", levels_);
  middle_ = register_module("mid_block", std::make_shared<VaeMiddle>(config.channels.back(), config.groups));
  norm_ = register_module("conv_norm_out", std::make_shared<GroupNorm>(config.groups, last, kVaeEpsilon));
  conv_out_ = register_module(
      "conv_out", std::make_shared<Conv2d>(last, encodes ? 2 * config.latents : config.out_channels));
}

VaeSteps VaeHalf::steps() const {
  VaeSteps steps{step_of([this](const Tensor& input) { return in_own_type(*conv_in_, input); })};
  if (kind_ == Kind::decoder) middle_->add_steps(steps);
  for (const auto& level : levels_) level->add_steps(steps);
  if (kind_ == Kind::encoder) middle_->add_steps(steps);
  steps.push_back({.norm = norm_.get(),
                   .type = conv_out_->weight.scalar_type(),
                   .rest = [this](const VaeState& state, const Tensor& normed) {
                     return VaeState{.map = conv_out_->forward(normed).to(state.map.scalar_type())};
                   }});
  return steps;
}

AutoencoderKl::AutoencoderKl(const AutoencoderKlConfig& config)
    : torch::nn::Module("AutoencoderKL"), config_(config) {
  require_buildable(config);
  const int64_t moments = 2 * config.latents;
  encoder_ = register_module("encoder", std::make_shared<VaeHalf>(VaeHalf::Kind::encoder, config));
  decoder_ = register_module("decoder", std::make_shared<VaeHalf>(VaeHalf::Kind::decoder, config));
  quant_conv_ = register_module("quant_conv", std::make_shared<Conv2d>(moments, moments, pointwise()));
  post_quant_conv_ = register_module("post_quant_conv",
                                     std::make_shared<Conv2d>(config.latents, config.latents, pointwise()));
}

DiagonalGaussian AutoencoderKl::encode(const Tensor& images, const Runner& run) const {
  if (std::min(images.size(2), images.size(3)) < factor()) {
    throw Error(fmt::format("the autoencoder takes pictures of {0}x{0} pixels and more, not {1}x{2}",
                            factor(), images.size(3), images.size(2)));
  }
  return DiagonalGaussian(in_own_type(*quant_conv_, run(encoder_->steps(), images)));
}

Tensor AutoencoderKl::decode(const Tensor& latents, const Runner& run) const {
  return run(decoder_->steps(), in_own_type(*post_quant_conv_, latents));
}

StateDict autoencoder_kl_weights(const StateDict& checkpoint) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> names{
      {{"query", "to_q"}, {"key", "to_k"}, {"value", "to_v"}, {"proj_attn", "to_out.0"}}};
  const std::string_view attention = "mid_block.attentions.0.";
  StateDict weights;
  for (const auto& [key, tensor] : checkpoint) {
    std::string name = key;
    const size_t found = key.find(attention), at = found + attention.size();
    if (found == std::string::npos) {
      weights[name] = tensor;
      continue;
    }
    const size_t length = key.rfind('.') - at;
    for (const auto& [old, current] : names) {
      if (std::string_view(key).substr(at, length) == old) name.replace(at, length, current);
    }
    weights[name] = tensor.dim() == 4 ? tensor.flatten(1) : tensor;
  }
  return weights;
}

std::shared_ptr<AutoencoderKl> make_autoencoder_kl(const AutoencoderKlConfig& config,
                                                   const StateDict& checkpoint) {
  auto network = std::make_shared<AutoencoderKl>(config);
  fill_module(*network, autoencoder_kl_weights(checkpoint));
  return network;
}

}  // namespace sr
