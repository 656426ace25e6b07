#include "nets/vae_blocks.h"

#include "nets/transformer.h"

namespace sr {
namespace {

std::shared_ptr<ResnetBlock> resnet(int64_t in, int64_t out, int64_t groups) {
  return std::make_shared<ResnetBlock>(
      ResnetBlockConfig{.in = in, .out = out, .groups = groups, .epsilon = kVaeEpsilon});
}

void add_resnet(VaeSteps& steps, const ResnetBlock& block) {
  steps.push_back({.norm = &block.norm1(),
                   .type = block.type(),
                   .rest = [&block](const VaeState& state, const Tensor& normed) {
                     return VaeState{.map = block.first(normed), .trunk = block.across(state.map)};
                   }});
  steps.push_back({.norm = &block.norm2(),
                   .type = block.type(),
                   .rest = [&block](const VaeState& state, const Tensor& normed) {
                     return VaeState{.map = state.trunk + block.second(normed)};
                   }});
}

}  // namespace

VaeState VaeStep::run(const VaeState& state, const GroupStatistics* given) const {
  return rest(state, norm ? normed(state.map, given) : state.map);
}

Tensor VaeStep::normed(const Tensor& map, const GroupStatistics* given) const {
  if (!given) return silu ? norm->silu(map, type) : norm->normed(map, type);
  const Tensor x = norm->normed_by(*given, map);
  return (silu ? at::silu(x) : x).to(type);
}

VaeStep step_of(std::function<Tensor(const Tensor&)> part) {
  return {.rest = [part = std::move(part)](const VaeState&, const Tensor& map) {
    return VaeState{.map = part(map)};
  }};
}

Tensor run_steps(const VaeSteps& steps, const Tensor& input) {
  VaeState state{.map = input};
  for (const VaeStep& step : steps) state = step.run(state);
  return state.map;
}

VaeAttention::VaeAttention(int64_t channels, int64_t groups)
    : group_norm_(register_module("group_norm", std::make_shared<GroupNorm>(groups, channels, kVaeEpsilon))),
      to_q_(register_module("to_q", std::make_shared<Linear>(channels, channels))),
      to_k_(register_module("to_k", std::make_shared<Linear>(channels, channels))),
      to_v_(register_module("to_v", std::make_shared<Linear>(channels, channels))),
      to_out_(std::make_shared<Linear>(channels, channels)) {
  register_list<Linear>(*this, "to_out", {to_out_});
}

void VaeAttention::add_steps(VaeSteps& steps) const {
  steps.push_back({.norm = group_norm_.get(),
                   .silu = false,
                   .type = to_q_->weight.scalar_type(),
                   .rest = [this](const VaeState& state, const Tensor& normed) {
                     return VaeState{.map = state.map + attend(normed)};
                   }});
}

Tensor VaeAttention::attend(const Tensor& normed) const {
  const Tensor places = normed.flatten(2).transpose(1, 2);
  const Tensor mixed =
      attention(to_q_->forward(places), to_k_->forward(places), to_v_->forward(places), /*heads=*/1);
  return to_out_->forward(mixed).transpose(1, 2).unflatten(2, normed.sizes().slice(2));
}

VaeMiddle::VaeMiddle(int64_t channels, int64_t groups)
    : resnets_{resnet(channels, channels, groups), resnet(channels, channels, groups)},
      attention_(std::make_shared<VaeAttention>(channels, groups)) {
  register_list(*this, "resnets", resnets_);
  register_list<VaeAttention>(*this, "attentions", {attention_});
}

void VaeMiddle::add_steps(VaeSteps& steps) const {
  add_resnet(steps, *resnets_[0]);
  attention_->add_steps(steps);
  add_resnet(steps, *resnets_[1]);
}

VaeLevel::VaeLevel(const VaeLevelConfig& config) {
  for (int64_t i = 0; i < config.blocks; ++i)
    resnets_.push_back(resnet(i == 0 ? config.in : config.out, config.out, config.groups));
  register_list(*this, "resnets", resnets_);
  if (config.then == VaeLevelConfig::Then::halve) {
    downsampler_ = std::make_shared<Downsample>(config.out, /*padded_all_round=*/false);
    register_list<Downsample>(*this, "downsamplers", {downsampler_});
  } else if (config.then == VaeLevelConfig::Then::enlarge) {
    upsampler_ = std::make_shared<Upsample>(config.out);
    register_list<Upsample>(*this, "upsamplers", {upsampler_});
  }
}

void VaeLevel::add_steps(VaeSteps& steps) const {
  for (const auto& block : resnets_) add_resnet(steps, *block);
  if (downsampler_)
    steps.push_back(step_of([this](const Tensor& map) { return downsampler_->forward(map); }));
  if (upsampler_) steps.push_back(step_of([this](const Tensor& map) { return upsampler_->forward(map); }));
}

}  // namespace sr
