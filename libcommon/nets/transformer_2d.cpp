#include "nets/transformer_2d.h"

#include <fmt/format.h>

#include "core/error.h"
#include "nets/layers.h"

namespace sr {
namespace {

constexpr double kGroupNormEpsilon = 1e-6;
constexpr double kLayerNormEpsilon = 1e-5;

/// [N,C,H,W] -> [N,HW,C].
Tensor tokens_of(const Tensor& map) { return map.flatten(2).transpose(1, 2); }

/// The tokens in `like`'s places.
Tensor map_of(const Tensor& tokens, const Tensor& like) {
  return tokens.transpose(1, 2).unflatten(2, {like.size(2), like.size(3)});
}

}  // namespace

ContextAttention::ContextAttention(int64_t features, int64_t context_features, int64_t heads)
    : heads_(heads),
      to_q_(register_module("to_q", std::make_shared<Linear>(features, features, false))),
      to_k_(register_module("to_k", std::make_shared<Linear>(context_features, features, false))),
      to_v_(register_module("to_v", std::make_shared<Linear>(context_features, features, false))),
      to_out_(std::make_shared<Linear>(features, features)) {
  if (heads < 1 || features % heads != 0)
    throw Error(fmt::format("an attention cannot share {} channels among {} heads", features, heads));
  register_list(*this, "to_out", std::vector{to_out_});
}

Memory ContextAttention::remember(const Tensor& context) const {
  const Tensor cast = to_k_->cast(context);
  return {.key = to_k_->forward(cast), .value = to_v_->forward(cast)};
}

Tensor ContextAttention::forward(const Tensor& tokens, const Memory& memory) const {
  const auto for_all = [&](const Tensor& of) { return of.expand({tokens.size(0), -1, -1}); };
  return to_out_->forward(
      attention(to_q_->forward(tokens), for_all(memory.key), for_all(memory.value), heads_));
}

Tensor ContextAttention::forward(const Tensor& tokens) const {
  const Tensor cast = to_q_->cast(tokens);
  return forward(cast, remember(cast));
}

GegluMlp::GegluMlp(int64_t features)
    : proj_(std::make_shared<Linear>(features, 8 * features)),
      out_(std::make_shared<Linear>(4 * features, features)) {
  const auto net = register_container(*this, "net");
  register_container(*net, "0")->register_module("proj", proj_);
  net->register_module("2", out_);
}

Tensor GegluMlp::forward(const Tensor& tokens) const {
  const auto halves = proj_->forward(tokens).chunk(2, -1);
  return out_->forward(halves[0] * at::gelu(halves[1]));
}

ContextBlock::ContextBlock(int64_t features, int64_t context_features, int64_t heads)
    : norm1_(register_module("norm1", std::make_shared<LayerNorm>(features, kLayerNormEpsilon))),
      norm2_(register_module("norm2", std::make_shared<LayerNorm>(features, kLayerNormEpsilon))),
      norm3_(register_module("norm3", std::make_shared<LayerNorm>(features, kLayerNormEpsilon))),
      attn1_(register_module("attn1", std::make_shared<ContextAttention>(features, features, heads))),
      attn2_(register_module("attn2", std::make_shared<ContextAttention>(features, context_features, heads))),
      ff_(register_module("ff", std::make_shared<GegluMlp>(features))) {}

Tensor ContextBlock::forward(const Tensor& tokens, const Memory& memory) const {
  Tensor x = tokens + attn1_->forward(norm1_->forward(tokens));
  x = x + attn2_->forward(norm2_->forward(x), memory);
  return x + ff_->forward(norm3_->forward(x));
}

Transformer2d::Transformer2d(const Transformer2dConfig& config)
    : norm_(register_module("norm",
                            std::make_shared<GroupNorm>(config.groups, config.channels, kGroupNormEpsilon))),
      block_(std::make_shared<ContextBlock>(config.channels, config.context_features, config.heads)),
      linear_projection_(config.linear_projection) {
  const auto projection = [&](const char* name) -> std::shared_ptr<WeightLayer> {
    const int64_t channels = config.channels;
    if (config.linear_projection) return register_module(name, std::make_shared<Linear>(channels, channels));
    return register_module(name, std::make_shared<Conv2d>(channels, channels, pointwise()));
  };
  proj_in_ = projection("proj_in");
  register_list(*this, "transformer_blocks", std::vector{block_});
  proj_out_ = projection("proj_out");
}

Tensor Transformer2d::forward(const Tensor& map, const Memory& memory) const {
  const Tensor normalised = norm_->normed(map, proj_in_->weight.scalar_type());
  Tensor x = linear_projection_ ? proj_in_->forward(tokens_of(normalised))
                                : tokens_of(proj_in_->forward(normalised));
  x = block_->forward(x.to(map.scalar_type()), memory);
  return map + (linear_projection_ ? map_of(proj_out_->forward(x), map) : proj_out_->forward(map_of(x, map)));
}

}  // namespace sr
