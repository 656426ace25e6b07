#pragma once
// What transformers have in common, whatever they call it.

#include <memory>

#include "nets/layers.h"

namespace sr {

/// Scaled dot-product attention: in each head softmax(q k^T / sqrt(C / heads)) v.
/// [N,L,C], [N,S,C], [N,S,C] -> [N,L,C]; heads share the channels out in order. `dropped`: chance of each of
/// the softmax's shares to be left out, in training.
Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, int64_t heads,
                 double dropped = 0);

/// fc1, exact GELU, fc2 (timm's Mlp).
class Mlp : public torch::nn::Module {
 public:
  Mlp(int64_t features, int64_t hidden);
  Tensor forward(const Tensor& input) const;

  std::shared_ptr<Linear> fc1, fc2;
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
