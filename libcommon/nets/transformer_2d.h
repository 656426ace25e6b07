#pragma once
// The transformer that latent diffusion's networks lay over a map: its pixels look at each other, and at a
// text or an image. Paper: Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models",
// CVPR 2022. Code held against: huggingface/diffusers src/diffusers/models/transformer_2d.py
// Transformer2DModel, attention.py BasicTransformerBlock, FeedForward, GEGLU (v0.21.0).

#include <memory>

#include "nets/group_norm.h"
#include "nets/transformer.h"

namespace sr {

/// What is looked at, as an attention takes it: [N,S,features] each. It follows from the text or image alone,
/// so one serves every step of a sampler.
struct Memory {
  Tensor key, value;
};

/// diffusers' Attention: `to_q`, `to_k`, `to_v` without biases, `to_out.0` with one.
class ContextAttention : public torch::nn::Module {
 public:
  ContextAttention(int64_t features, int64_t context_features, int64_t heads);
  /// [N,S,context_features] -> its memory.
  Memory remember(const Tensor& context) const;
  /// [N,L,features] -> [N,L,features]; a memory of one item serves all N.
  Tensor forward(const Tensor& tokens, const Memory& memory) const;
  /// Every token looks at all of them.
  Tensor forward(const Tensor& tokens) const;

 private:
  int64_t heads_;
  std::shared_ptr<Linear> to_q_, to_k_, to_v_, to_out_;
};

/// `net.2`(h * gelu(gate)), where h and gate are the halves of `net.0.proj`: four times as wide as
/// `features`.
class GegluMlp : public torch::nn::Module {
 public:
  explicit GegluMlp(int64_t features);
  Tensor forward(const Tensor& tokens) const;

 private:
  std::shared_ptr<Linear> proj_, out_;
};

/// x += attn1(norm1(x)); x += attn2(norm2(x), memory); x += ff(norm3(x)).
class ContextBlock : public torch::nn::Module {
 public:
  ContextBlock(int64_t features, int64_t context_features, int64_t heads);
  Memory remember(const Tensor& context) const { return attn2_->remember(context); }
  /// [N,L,features] -> the same.
  Tensor forward(const Tensor& tokens, const Memory& memory) const;

 private:
  std::shared_ptr<LayerNorm> norm1_, norm2_, norm3_;
  std::shared_ptr<ContextAttention> attn1_, attn2_;
  std::shared_ptr<GegluMlp> ff_;
};

struct Transformer2dConfig {
  int64_t channels = 320;
  int64_t context_features = 1024;  ///< of what is looked at
  int64_t heads = 5;                ///< must divide the channels
  int64_t groups = 32;              ///< of the norm
  bool linear_projection = true;    ///< else `proj_in` and `proj_out` are 1x1 convolutions
};

/// map + proj_out(block(proj_in(norm(map)))), with one block.
class Transformer2d : public torch::nn::Module {
 public:
  explicit Transformer2d(const Transformer2dConfig& config);
  Memory remember(const Tensor& context) const { return block_->remember(context); }
  /// [N,channels,H,W] -> the same; a memory of one item serves all N.
  Tensor forward(const Tensor& map, const Memory& memory) const;

 private:
  std::shared_ptr<GroupNorm> norm_;
  std::shared_ptr<WeightLayer> proj_in_, proj_out_;
  std::shared_ptr<ContextBlock> block_;
  bool linear_projection_;
};

}  // namespace sr
