#include "nets/transformer.h"

#include <algorithm>
#include <cmath>

namespace sr {
namespace {

/// Scores that are held at once: more than 32 MB would be fetched from the system, page by page, each time.
constexpr int64_t most_scores = 4 << 20;

/// [N,L,C] -> [N,heads,L,C/heads].
Tensor by_head(const Tensor& tokens, int64_t heads) {
  return tokens.unflatten(2, {heads, tokens.size(2) / heads}).transpose(1, 2);
}

Tensor plain_attention(const Tensor& query, const Tensor& key, const Tensor& value, int64_t heads,
                       double dropped) {
  const Tensor scores = at::matmul(by_head(query, heads), by_head(key, heads).transpose(-2, -1));
  const Tensor shares = at::dropout(scores.softmax(-1), dropped, /*train=*/true);
  return at::matmul(shares, by_head(value, heads)).transpose(1, 2).flatten(2);
}

/// One head of one sequence, [L,c], [S,c], [S,c] -> `mixed` [L,c]; all may be columns of wider matrices.
void attend_head(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mixed) {
  const int64_t rows = std::max<int64_t>(64, most_scores / std::max<int64_t>(1, key.size(0)));
  for (int64_t begin = 0; begin < query.size(0); begin += rows) {
    const Tensor shares = at::mm(query.slice(0, begin, begin + rows), key.t()).softmax(-1);
    Tensor part = mixed.slice(0, begin, begin + rows);
    at::mm_out(part, shares, value);
  }
}

bool learns(const Tensor& a, const Tensor& b, const Tensor& c) {
  return at::GradMode::is_enabled() && (a.requires_grad() || b.requires_grad() || c.requires_grad());
}

}  // namespace

Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, int64_t heads, double dropped) {
  const int64_t width = query.size(2) / heads;
  const Tensor scaled = query * (1 / std::sqrt(static_cast<double>(width)));
  if (!query.is_cpu() || dropped > 0 || learns(query, key, value))
    return plain_attention(scaled, key, value, heads, dropped);
  // Head by head: its scores are still in the cache for the softmax and the second product, which makes up to
  // twice the speed.
  const Tensor mixed = at::empty(query.sizes(), query.options());
  for (int64_t n = 0; n < query.size(0); ++n) {
    for (int64_t head = 0; head < heads; ++head) {
      const auto part = [&](const Tensor& tokens) { return tokens[n].narrow(1, head * width, width); };
      attend_head(part(scaled), part(key), part(value), part(mixed));
    }
  }
  return mixed;
}

Mlp::Mlp(int64_t features, int64_t hidden)
    : fc1(register_module("fc1", std::make_shared<Linear>(features, hidden))),
      fc2(register_module("fc2", std::make_shared<Linear>(hidden, features))) {}

Tensor Mlp::forward(const Tensor& input) const { return fc2->forward(at::gelu(fc1->forward(input))); }

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
