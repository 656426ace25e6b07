#include "nets/clip_transformer.h"

#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/layers.h"

namespace sr {
namespace {

constexpr double kNormEpsilon = 1e-5;

}  // namespace

// --- blocks ----------------------------------------------------------------------------------------

ClipMlp::ClipMlp(int64_t width)
    : c_fc(register_module("c_fc", std::make_shared<Linear>(width, 4 * width))),
      c_proj(register_module("c_proj", std::make_shared<Linear>(4 * width, width))) {}

Tensor ClipMlp::forward(const Tensor& input) const {
  return c_proj->forward(gelu(c_fc->forward(input), Gelu::quick));
}

ClipBlock::ClipBlock(int64_t width, int64_t heads)
    : heads_(heads),
      ln_1_(register_module("ln_1", std::make_shared<LayerNorm>(width, kNormEpsilon))),
      ln_2_(register_module("ln_2", std::make_shared<LayerNorm>(width, kNormEpsilon))),
      attn_(register_module("attn", std::make_shared<MultiheadAttention>(width, heads))),
      mlp_(register_module("mlp", std::make_shared<ClipMlp>(width))) {
  if (heads < 1 || width % heads != 0)
    throw Error(fmt::format("CLIP's attention can't share {} channels among {} heads", width, heads));
}

Tensor ClipBlock::attend(const Tensor& normalised, const Tensor& mask) const {
  if (!mask.defined()) return attn_->forward(normalised);
  const int64_t depth = normalised.size(2) / heads_;
  const auto parts = at::linear(normalised, attn_->in_proj_weight, attn_->in_proj_bias)
                         .unflatten(2, {3, heads_, depth})
                         .permute({2, 0, 3, 1, 4})  // [3,N,heads,tokens,depth]
                         .unbind();
  const Tensor query = parts[0] / std::sqrt(static_cast<double>(depth));
  const Tensor shares = (at::matmul(query, parts[1].transpose(-2, -1)) + mask).softmax(-1);
  return attn_->out_proj->forward(at::matmul(shares, parts[2]).transpose(1, 2).flatten(2));
}

Tensor ClipBlock::forward(const Tensor& tokens, const Tensor& mask) const {
  const Tensor x = tokens + attend(ln_1_->forward(tokens), mask);
  return x + mlp_->forward(ln_2_->forward(x));
}

ClipTransformer::ClipTransformer(int64_t width, int64_t layers, int64_t heads) {
  for (int64_t i = 0; i < layers; ++i) resblocks.push_back(std::make_shared<ClipBlock>(width, heads));
  register_list(*this, "resblocks", resblocks);
}

Tensor ClipTransformer::forward(const Tensor& tokens, const Tensor& mask) const {
  Tensor x = tokens;
  for (const auto& block : resblocks) x = block->forward(x, mask);
  return x;
}

// --- images ----------------------------------------------------------------------------------------

VisionTransformer::VisionTransformer(const ClipVitConfig& config)
    : class_embedding(register_parameter("class_embedding", torch::zeros({config.width}))),
      positional_embedding(
          register_parameter("positional_embedding", torch::zeros({1 + config.patches(), config.width}))),
      proj(register_parameter("proj", torch::zeros({config.width, config.output_dim}))),
      transformer(register_module(
          "transformer", std::make_shared<ClipTransformer>(config.width, config.layers, config.heads))),
      config_(config) {
  const ConvOptions patches{
      .kernel = config.patch_size, .stride = config.patch_size, .padding = 0, .groups = 1, .bias = false};
  conv1_ = register_module("conv1", std::make_shared<Conv2d>(3, config.width, patches));
  ln_pre_ = register_module("ln_pre", std::make_shared<LayerNorm>(config.width, kNormEpsilon));
  ln_post_ = register_module("ln_post", std::make_shared<LayerNorm>(config.width, kNormEpsilon));
}

Tensor VisionTransformer::embed(const Tensor& images) const {
  const int64_t side = config_.input_resolution;
  if (images.size(2) != side || images.size(3) != side) {
    throw Error(fmt::format("CLIP's vision transformer takes images of {0}x{0}, not {1}x{2}", side,
                            images.size(3), images.size(2)));
  }
  const Tensor patches = conv1_->forward(images).flatten(2).transpose(1, 2);
  const Tensor class_token = class_embedding.expand({images.size(0), 1, -1});
  return ln_pre_->forward(at::cat({class_token, patches}, 1) + positional_embedding);
}

Tensor VisionTransformer::forward(const Tensor& images) const {
  return project(class_token(transformer->forward(embed(images))));
}

// --- texts -----------------------------------------------------------------------------------------

ClipText::ClipText(const ClipTextConfig& config)
    : positional_embedding(
          register_parameter("positional_embedding", torch::zeros({config.context_length, config.width}))),
      text_projection(register_parameter("text_projection", torch::zeros({config.width, config.embed_dim}))),
      config_(config),
      transformer_(register_module(
          "transformer", std::make_shared<ClipTransformer>(config.width, config.layers, config.heads))),
      ln_final_(register_module("ln_final", std::make_shared<LayerNorm>(config.width, kNormEpsilon))) {
  const auto table = register_container(*this, "token_embedding");
  token_embedding = table->register_parameter("weight", torch::zeros({config.vocab_size, config.width}));
}

Tensor ClipText::embed(const Tensor& tokens) const { return at::embedding(token_embedding, tokens); }

Tensor ClipText::transform(const Tensor& embedded) const {
  const int64_t tokens = embedded.size(1);
  if (tokens > config_.context_length) {
    throw Error(fmt::format("CLIP's texts have up to {} tokens, not {}", config_.context_length, tokens));
  }
  return transformer_->forward(embedded + positional_embedding.slice(0, 0, tokens),
                               causal_mask(tokens, embedded.options().requires_grad(false)));
}

Tensor ClipText::encode_embedded(const Tensor& embedded) const {
  return project(normalise(transform(embedded).select(1, -1)));
}

Tensor ClipText::encode(const Tensor& tokens) const {
  const Tensor ends = tokens.argmax(1);
  const Tensor used = tokens.slice(1, 0, ends.max().item<int64_t>() + 1);
  const Tensor last = transform(embed(used)).index({at::arange(tokens.size(0), ends.options()), ends});
  return project(normalise(last));
}

}  // namespace sr
