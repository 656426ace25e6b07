#include "nets/transformer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/processor.h"
#include "nets/fused_attention.h"

namespace sr {
namespace {

/// Scores that are held at once: more than 32 MB would be fetched from the system, page by page, each time.
constexpr int64_t kMostScores = 4 << 20;

/// float32 in place of what is coarser.
at::ScalarType precise(const Tensor& tensor) { return at::promote_types(tensor.scalar_type(), at::kFloat); }

/// [N,L,C] -> [N,heads,L,C/heads].
Tensor by_head(const Tensor& tokens, int64_t heads) {
  return tokens.unflatten(2, {heads, tokens.size(2) / heads}).transpose(1, 2);
}

/// All heads of all sequences at once, as autograd can follow it.
Tensor plain_attention(const Tensor& query, const Tensor& key, const Tensor& value, int64_t heads,
                       const AttentionOptions& options) {
  Tensor scores = at::matmul(by_head(query, heads), by_head(key, heads).transpose(-2, -1));
  scores = scores.to(precise(scores));
  if (options.bias.defined()) scores.add_(options.bias);
  if (options.mask.defined()) {
    const Tensor by_mask = scores.unflatten(0, {-1, options.mask.size(0)});
    scores = (by_mask + options.mask.unsqueeze(1)).flatten(0, 1);
  }
  const Tensor shares = at::dropout(scores.softmax(-1), options.dropped, /*train=*/true);
  return at::matmul(shares.to(value.scalar_type()), by_head(value, heads)).transpose(1, 2).flatten(2);
}

/// One head of one sequence: [L,c], [S,c], [S,c], columns of wider matrices.
void attend(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mixed) {
  const int64_t rows = std::max<int64_t>(64, kMostScores / key.size(0));
  for (int64_t begin = 0; begin < query.size(0); begin += rows) {
    Tensor part = mixed.slice(0, begin, begin + rows);
    at::mm_out(part, at::mm(query.slice(0, begin, begin + rows), key.t()).softmax(-1), value);
  }
}

/// Head by head: its scores are still in the cache for the softmax and the second product.
Tensor attention_by_head(const Tensor& query, const Tensor& key, const Tensor& value, int64_t heads) {
  const int64_t width = query.size(2) / heads;
  const Tensor mixed = at::empty(query.sizes(), query.options());
  for (int64_t i = 0; i < query.size(0) * heads; ++i) {
    const auto part = [&](const Tensor& of) { return of[i / heads].narrow(1, i % heads * width, width); };
    attend(part(query), part(key), part(value), part(mixed));
  }
  return mixed;
}

/// Whether LibTorch's products of bfloat16 are worth more than what fused_attention() saves.
bool has_faster_products(const AttentionInputs& inputs) {
  constexpr int64_t fewest_scores = 8 << 10;  // of a head, below which calls cost more than they do
  return has_matrix_tiles() && inputs.query.scalar_type() == at::kBFloat16 && !inputs.bias.defined() &&
         !inputs.mask.defined() && inputs.query.size(1) * inputs.key.size(1) >= fewest_scores;
}

}  // namespace

Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, int64_t heads,
                 const AttentionOptions& options) {
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(query.size(2) / heads)));
  const AttentionInputs inputs{query, key, value, heads, scale, options.bias, options.mask};
  if (options.dropped > 0 || !fused_attention_fits(inputs))
    return plain_attention(query * scale, key, value, heads, options);
  return has_faster_products(inputs) ? attention_by_head(query * scale, key, value, heads)
                                     : fused_attention(inputs);
}

Tensor causal_mask(int64_t tokens, const at::TensorOptions& options) {
  return at::full({tokens, tokens}, -std::numeric_limits<double>::infinity(), options).triu_(1);
}

Tensor gelu(const Tensor& input, Gelu kind) {
  return kind == Gelu::quick ? input * at::sigmoid(1.702 * input) : at::gelu(input);
}

Mlp::Mlp(int64_t features, int64_t hidden, Gelu kind)
    : fc1(register_module("fc1", std::make_shared<Linear>(features, hidden))),
      fc2(register_module("fc2", std::make_shared<Linear>(hidden, features))),
      kind_(kind) {}

Tensor Mlp::forward(const Tensor& input) const { return fc2->forward(gelu(fc1->forward(input), kind_)); }

MultiheadAttention::MultiheadAttention(int64_t features, int64_t heads)
    : in_proj_weight(register_parameter("in_proj_weight", torch::zeros({3 * features, features}))),
      in_proj_bias(register_parameter("in_proj_bias", torch::zeros({3 * features}))),
      out_proj(register_module("out_proj", std::make_shared<Linear>(features, features))),
      heads_(heads) {}

Tensor MultiheadAttention::forward(const Tensor& input, const Tensor& memory) const {
  const int64_t features = input.size(2);
  const Tensor query =
      at::linear(input, in_proj_weight.narrow(0, 0, features), in_proj_bias.narrow(0, 0, features));
  const auto pair = at::linear(memory, in_proj_weight.narrow(0, features, 2 * features),
                               in_proj_bias.narrow(0, features, 2 * features))
                        .chunk(2, -1);
  return out_proj->forward(attention(query, pair[0], pair[1], heads_));
}

Tensor MultiheadAttention::forward(const Tensor& input) const {
  const auto parts = at::linear(input, in_proj_weight, in_proj_bias).chunk(3, -1);
  return out_proj->forward(attention(parts[0], parts[1], parts[2], heads_));
}

}  // namespace sr
