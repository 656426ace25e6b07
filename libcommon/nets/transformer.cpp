#include "nets/transformer.h"

#include <algorithm>
#include <c10/core/InferenceMode.h>
#include <cmath>

namespace sr {
namespace {

/// Scores that are held at once: more than 32 MB would be fetched from the system, page by page, each time.
constexpr int64_t most_scores = 4 << 20;
/// Scores of a head below which calls cost more than caches spare.
constexpr int64_t fewest_scores = 8 << 10;
/// Products up to this many multiply-adds run on one thread anyway.
constexpr int64_t small_product = 1 << 20;

/// float32 in place of what is coarser.
at::ScalarType precise(const Tensor& tensor) { return at::promote_types(tensor.scalar_type(), at::kFloat); }

/// [N,L,C] -> [N,heads,L,C/heads].
Tensor by_head(const Tensor& tokens, int64_t heads) {
  return tokens.unflatten(2, {heads, tokens.size(2) / heads}).transpose(1, 2);
}

/// One head of one sequence.
struct Head {
  Tensor query, key, value;  ///< [L,c], [S,c], [S,c]; may be columns of wider matrices
  Tensor added;              ///< [L,S], or undefined
  Tensor mixed;              ///< [L,c], for the answer
};

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

void attend(const Head& head) {
  const Tensor columns = head.key.t();
  const int64_t rows = std::max<int64_t>(64, most_scores / std::max<int64_t>(1, columns.size(1)));
  for (int64_t begin = 0; begin < head.query.size(0); begin += rows) {
    const auto part = [&](const Tensor& of) { return of.slice(0, begin, begin + rows); };
    const Tensor scores = head.added.defined() ? at::addmm(part(head.added), part(head.query), columns)
                                               : at::mm(part(head.query), columns);
    Tensor mixed = part(head.mixed);
    at::mm_out(mixed, scores.softmax(-1), head.value);
  }
}

Tensor added_scores(const AttentionOptions& options, int64_t sequence, int64_t head) {
  if (!options.mask.defined()) return options.bias.defined() ? options.bias[head] : Tensor();
  const Tensor mask = options.mask[sequence % options.mask.size(0)];
  return options.bias.defined() ? options.bias[head] + mask : mask;
}

/// Head by head: its scores are still in the cache for the softmax and the second product, which makes up to
/// twice the speed.
Tensor attention_by_head(const Tensor& query, const Tensor& key, const Tensor& value, int64_t heads,
                         const AttentionOptions& options) {
  const int64_t count = query.size(0) * heads, width = query.size(2) / heads;
  const Tensor mixed = at::empty(query.sizes(), query.options());
  const auto attend_some = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / heads, head = i % heads;
      const auto part = [&](const Tensor& of) { return of[n].narrow(1, head * width, width); };
      attend({.query = part(query),
              .key = part(key),
              .value = part(value),
              .added = added_scores(options, n, head),
              .mixed = part(mixed)});
    }
  };
  if (query.size(1) * key.size(1) * width > small_product) {
    attend_some(0, count);
    return mixed;
  }
  const bool inference = c10::InferenceMode::is_enabled();  // which other threads don't know of
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    const c10::InferenceMode mode(inference);
    const at::NoGradGuard no_grad;
    attend_some(begin, end);
  });
  return mixed;
}

bool learns(const Tensor& tensor) { return at::GradMode::is_enabled() && tensor.requires_grad(); }

}  // namespace

Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, int64_t heads,
                 const AttentionOptions& options) {
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(query.size(2) / heads)));
  const bool learnt = learns(query) || learns(key) || learns(value) || options.dropped > 0;
  const bool few = query.size(1) * key.size(1) < fewest_scores;
  if (!query.is_cpu() || learnt || few) return plain_attention(query * scale, key, value, heads, options);
  // What is added to scores keeps its precision.
  const bool adds = options.bias.defined() || options.mask.defined();
  const auto type = adds ? precise(query) : query.scalar_type();
  return attention_by_head(query.to(type) * scale, key.to(type), value.to(type), heads, options);
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
