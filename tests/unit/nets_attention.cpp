// Attention by loops of our own against its definition.

#include <cmath>
#include <doctest.h>

#include "nets/fused_attention.h"
#include "nets/transformer.h"

using namespace sr;

namespace {

Tensor random_tokens(int64_t tokens, int64_t features, int64_t seed) {
  return at::randn({2, tokens, features}, at::detail::createCPUGenerator(static_cast<uint64_t>(seed)));
}

/// softmax(q k^T scale + added) v in float64, [2,L,C] of `heads`; `added` is [2,heads,L,S].
Tensor by_definition(const AttentionInputs& inputs, const Tensor& added) {
  const auto heads_of = [&](const Tensor& tokens) {
    return tokens.to(at::kDouble).unflatten(2, {inputs.heads, tokens.size(2) / inputs.heads}).transpose(1, 2);
  };
  const Tensor scores =
      at::matmul(heads_of(inputs.query), heads_of(inputs.key).transpose(-2, -1)) * inputs.scale + added;
  return at::matmul(scores.softmax(-1), heads_of(inputs.value)).transpose(1, 2).flatten(2);
}

double distance(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

struct Sizes {
  int64_t queries, keys, features, heads;
};

/// Fewer queries than a block, blocks that overlap, odd numbers of keys and channels, several blocks of keys.
const std::vector<Sizes> kSizes{{1, 5, 8, 2},     {7, 33, 32, 1},    {13, 64, 96, 3},   {50, 77, 128, 2},
                                {64, 145, 20, 4}, {144, 144, 64, 2}, {40, 1100, 64, 1}, {30, 513, 512, 1}};

}  // namespace

TEST_CASE("attention's loops: the definition, in float32 and of bfloat16") {
  for (const auto& size : kSizes) {
    CAPTURE(size.queries);
    CAPTURE(size.keys);
    CAPTURE(size.features);
    AttentionInputs inputs{.query = random_tokens(size.queries, size.features, 1),
                           .key = random_tokens(size.keys, size.features, 2),
                           .value = random_tokens(size.keys, size.features, 3),
                           .heads = size.heads,
                           .scale = 1 / std::sqrt(static_cast<double>(size.features / size.heads)),
                           .bias = {},
                           .mask = {}};
    REQUIRE(fused_attention_fits(inputs));
    CHECK(distance(fused_attention(inputs), by_definition(inputs, at::zeros({1}))) < 1e-5);
    for (Tensor* tokens : {&inputs.query, &inputs.key, &inputs.value}) *tokens = tokens->to(at::kBFloat16);
    const Tensor half = fused_attention(inputs);
    CHECK((half.scalar_type() == at::kBFloat16));
    CHECK(distance(half, by_definition(inputs, at::zeros({1}))) < 0.03);
  }
}

TEST_CASE("attention's loops: biases by head, masks by sequence, columns of wider matrices") {
  const Tensor wide = random_tokens(50, 3 * 24, 4);
  const auto parts = wide.chunk(3, 2);
  const AttentionInputs inputs{.query = parts[0],
                               .key = parts[1],
                               .value = parts[2],
                               .heads = 3,
                               .scale = 0.5,
                               .bias = at::randn({3, 50, 50}, at::detail::createCPUGenerator(5)),
                               .mask = at::randn({2, 50, 50}, at::detail::createCPUGenerator(6)) * 50};
  const Tensor added = inputs.bias.unsqueeze(0) + inputs.mask.unsqueeze(1);
  CHECK(distance(fused_attention(inputs), by_definition(inputs, added)) < 1e-5);
  const Tensor alone = attention(parts[0], parts[1], parts[2], 3, {.scale = 0.5, .bias = inputs.bias});
  CHECK(distance(alone, by_definition(inputs, inputs.bias.unsqueeze(0))) < 1e-5);
}

TEST_CASE("attention's loops: the same values by any number of threads, and scores of any size") {
  AttentionInputs inputs{.query = random_tokens(700, 16, 7),
                         .key = random_tokens(90, 16, 8) * 1e4,
                         .value = random_tokens(90, 16, 9),
                         .heads = 1,
                         .scale = 1,
                         .bias = {},
                         .mask = {}};
  const int threads = at::get_num_threads();
  const Tensor several = fused_attention(inputs);
  at::set_num_threads(1);
  CHECK(several.equal(fused_attention(inputs)));
  at::set_num_threads(threads);
  CHECK(distance(several, by_definition(inputs, at::zeros({1}))) < 1e-4);
}

TEST_CASE("attention that learns is LibTorch's own") {
  AttentionInputs inputs{.query = random_tokens(5, 8, 1).requires_grad_(),
                         .key = random_tokens(6, 8, 2),
                         .value = random_tokens(6, 8, 3),
                         .heads = 2,
                         .scale = 1,
                         .bias = {},
                         .mask = {}};
  CHECK(!fused_attention_fits(inputs));
  attention(inputs.query, inputs.key, inputs.value, 2).sum().backward();
  CHECK(inputs.query.grad().abs().sum().item<double>() > 0);
}
