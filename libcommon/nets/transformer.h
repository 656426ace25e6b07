#pragma once
// What transformers have in common, whatever they call it.

#include <memory>
#include <optional>

#include "nets/layers.h"

namespace sr {

struct AttentionOptions {
  std::optional<double> scale = {};  ///< of the scores q k^T; else 1 / sqrt(C / heads)
  Tensor bias = {};                  ///< [heads,L,S], added to the scores of every n; undefined: none
  Tensor mask = {};                  ///< [M,L,S], added to those of every head: of n, the (n modulo M)-th
  double dropped = 0;                ///< chance of a softmax's share to be left out, in training
};

/// Scaled dot-product attention: in each head softmax(q k^T scale + bias + mask) v.
/// [N,L,C], [N,S,C], [N,S,C] -> [N,L,C]; heads share the channels out in order.
Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, int64_t heads,
                 const AttentionOptions& options = {});

/// [tokens,tokens]: 0 on and below the diagonal, -infinity above it, so that a token sees those before it and
/// itself.
Tensor causal_mask(int64_t tokens, const at::TensorOptions& options);

/// Quick: x * sigmoid(1.702 x), as OpenAI's CLIP has it.
enum class Gelu { exact, quick };
Tensor gelu(const Tensor& input, Gelu kind);

/// fc1, GELU, fc2 (timm's Mlp).
class Mlp : public torch::nn::Module {
 public:
  Mlp(int64_t features, int64_t hidden, Gelu kind = Gelu::exact);
  Tensor forward(const Tensor& input) const;

  std::shared_ptr<Linear> fc1, fc2;

 private:
  Gelu kind_;
};

/// torch.nn.MultiheadAttention with its names: `in_proj_weight` and `in_proj_bias` hold query, key and value,
/// one below the other. Batch first: [N,L,C].
class MultiheadAttention : public torch::nn::Module {
 public:
  MultiheadAttention(int64_t features, int64_t heads);
  /// Every token of `input` looks at every token of `memory`.
  Tensor forward(const Tensor& input, const Tensor& memory) const;
  /// Every token of `input` looks at all of them.
  Tensor forward(const Tensor& input) const;

  Tensor in_proj_weight, in_proj_bias;
  std::shared_ptr<Linear> out_proj;

 private:
  int64_t heads_;
};

}  // namespace sr
