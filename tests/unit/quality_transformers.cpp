// MUSIQ, MANIQA, TOPIQ and what their networks are made of, where recorded cases don't reach.

#include <c10/core/InferenceMode.h>
#include <cmath>
#include <torch/types.h>

#include "core/error.h"
#include "nets/feature_maps.h"
#include "nets/fill_module.h"
#include "nets/group_norm.h"
#include "nets/resnet.h"
#include "nets/transformer.h"
#include "quality/maniqa.h"
#include "quality/musiq.h"
#include "quality/opinion.h"
#include "quality/topiq.h"

// After LibTorch, which has a CHECK of its own.
#include <doctest.h>

using namespace sr;

namespace {

double distance(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

void randomise(torch::nn::Module& module) {
  const at::NoGradGuard no_grad;
  for (auto& parameter : module.parameters()) parameter.normal_(0, 0.3);
  for (auto& buffer : module.buffers()) {
    if (buffer.is_floating_point()) buffer.uniform_(0.5, 1.5);
  }
}

/// Weights of a MUSIQ of the smallest sizes.
StateDict musiq_weights(const MusiqConfig& config) {
  StateDict weights;
  const auto add = [&](const std::string& key, at::IntArrayRef shape) {
    weights[key] = at::randn(shape) * 0.2;
  };
  const auto norm = [&](const std::string& key, int64_t features) {
    add(key + ".weight", {features});
    add(key + ".bias", {features});
  };
  const auto linear = [&](const std::string& key, int64_t in, int64_t out) {
    add(key + ".weight", {out, in});
    add(key + ".bias", {out});
  };
  const int64_t hidden = config.hidden, side = config.patch / 4;
  add("conv_root.weight", {64, 3, 7, 7});
  norm("gn_root", 64);
  add("block1.conv1.weight", {64, 64, 1, 1});
  norm("block1.gn1", 64);
  add("block1.conv2.weight", {64, 64, 3, 3});
  norm("block1.gn2", 64);
  add("block1.conv3.weight", {256, 64, 1, 1});
  norm("block1.gn3", 256);
  add("block1.conv_proj.weight", {256, 64, 1, 1});
  norm("block1.gn_proj", 256);
  linear("embedding", 256 * side * side, hidden);
  add("transformer_encoder.cls", {1, 1, hidden});
  add("transformer_encoder.posembed_input.position_emb", {1, config.grid * config.grid, hidden});
  add("transformer_encoder.scaleembed_input.scale_emb", {config.scales, hidden});
  norm("transformer_encoder.encoder_norm", hidden);
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string layer = "transformer_encoder.transformer.encoderblock_" + std::to_string(i) + ".";
    norm(layer + "norm1", hidden);
    norm(layer + "norm2", hidden);
    for (const char* name : {"query", "key", "value", "out"})
      linear(layer + "attention." + name, hidden, hidden);
    linear(layer + "mlp.fc1", hidden, config.mlp_features);
    linear(layer + "mlp.fc2", config.mlp_features, hidden);
  }
  linear(config.classes > 1 ? "head.0" : "head", hidden, config.classes);
  return weights;
}

MusiqConfig small_musiq() {
  return {.patch = 32, .hidden = 12, .mlp_features = 8, .heads = 6, .layers = 1, .scales = 3, .grid = 10};
}

}  // namespace

TEST_CASE("attention head by head is attention as autograd runs it") {
  at::manual_seed(1);
  const Tensor query = at::randn({2, 9, 12}), memory = at::randn({2, 2500, 24}).requires_grad_();
  const auto pair = memory.chunk(2, -1);
  const Tensor learnt = attention(query, pair[0], pair[1], 3);
  CHECK(learnt.requires_grad());
  const at::NoGradGuard no_grad;
  CHECK(distance(attention(query, pair[0], pair[1], 3), learnt) < 1e-6);
  // More scores than are held at once.
  const Tensor many = at::randn({1, 2500, 12});
  const Tensor whole = attention(many, pair[0].slice(0, 0, 1), pair[1].slice(0, 0, 1), 1);
  const Tensor last = attention(many.slice(1, 2400), pair[0].slice(0, 0, 1), pair[1].slice(0, 0, 1), 1);
  CHECK(distance(whole.slice(1, 2400), last) < 1e-6);
}

TEST_CASE("attention adds biases of heads and masks of windows, with several threads too") {
  at::manual_seed(1);
  const Tensor query = at::randn({6, 100, 8}), key = at::randn({6, 100, 8}).requires_grad_();
  const AttentionOptions options{
      .scale = 0.7, .bias = at::randn({2, 100, 100}), .mask = at::randn({3, 100, 100})};
  const Tensor learnt = attention(query, key, query, 2, options);
  const Tensor scores = at::mm(query[4].slice(1, 4), key[4].slice(1, 4).t()) * 0.7;
  const Tensor shares = (scores + options.bias[1] + options.mask[1]).softmax(-1);
  CHECK(distance(learnt[4].slice(1, 4), at::mm(shares, query[4].slice(1, 4))) < 1e-5);
  const c10::InferenceMode inference;
  CHECK(distance(attention(query, key, query, 2, options), learnt) < 1e-5);
  const auto coarse = [](const Tensor& tensor) { return tensor.to(at::kBFloat16); };
  CHECK(distance(attention(coarse(query), coarse(key), coarse(query), 2, options), learnt) < 0.1);
}

TEST_CASE("multi-head attention to others is self-attention where the others are oneself") {
  MultiheadAttention attention(8, 2);
  randomise(attention);
  const at::NoGradGuard no_grad;
  const Tensor tokens = at::randn({1, 5, 8});
  CHECK(distance(attention.forward(tokens), attention.forward(tokens, tokens)) < 1e-5);
}

TEST_CASE("group normalisation with channels last is LibTorch's") {
  at::manual_seed(2);
  GroupNorm norm(4, 20, 1e-4);
  randomise(norm);
  const at::NoGradGuard no_grad;
  // Far from zero and all but flat: sums of squares would lose it.
  const Tensor map = at::randn({3, 20, 7, 5}) * 1e-2 + 30;
  const Tensor expected =
      at::group_norm(map.to(at::kDouble), 4, norm.weight.to(at::kDouble), norm.bias.to(at::kDouble), 1e-4);
  CHECK(distance(norm.forward(channels_last(map.clone())), expected) < 1e-3);
  CHECK(distance(norm.forward_relu(channels_last(map.clone())), expected.relu()) < 1e-3);
  CHECK(distance(norm.forward(map.clone()), expected) < 1e-3);
}

TEST_CASE("convolutions and GELU give the same in every layout") {
  at::manual_seed(3);
  Conv2d conv(6, 10, pointwise());
  randomise(conv);
  const at::NoGradGuard no_grad;
  const Tensor map = at::randn({1, 6, 9, 11});
  CHECK(distance(convolve(conv, channels_last(map)), conv.forward(map)) < 1e-5);
  CHECK(distance(gelu_of_map(channels_last(map)), at::gelu(map)) < 1e-6);
}

TEST_CASE("a folded ResNet answers what it did before, at sizes that halve unevenly") {
  at::manual_seed(4);
  ResNet net({1, 1, 1, 1});
  net.eval();
  randomise(net);
  const at::NoGradGuard no_grad;
  const Tensor image = at::randn({1, 3, 37, 50});
  const auto before = net.features(image);
  net.fold();
  const auto after = net.features(image);
  CHECK(before.back().sizes() == at::IntArrayRef{1, 2048, 2, 2});
  for (size_t i = 0; i < before.size(); ++i) {
    CAPTURE(i);
    CHECK(before[i].size(1) == ResNet::channels[i]);
    CHECK(distance(before[i], after[i]) < 1e-4 * before[i].abs().max().item<double>());
  }
}

TEST_CASE("weights that don't fit are named, and nothing is changed") {
  Mlp mlp(2, 3);
  const StateDict weights = {{"fc1.weight", at::ones({3, 2})},
                             {"fc1.bias", at::ones({4})},
                             {"fc2.weight", at::ones({2, 3})},
                             {"fc3.bias", at::ones({2})}};
  const auto fill = [&] {
    fill_module(mlp, weights, [](const std::string& key) { return key == "fc3.bias"; });
  };
  CHECK_THROWS_WITH_AS(fill(), doctest::Contains("fc1.bias is 4, not 3; fc2.bias is missing"), Error);
  CHECK_THROWS_WITH_AS(fill_module(mlp, weights), doctest::Contains("fc3.bias is unexpected"), Error);
  CHECK(mlp.fc1->weight.abs().max().item<float>() == 0);
}

TEST_CASE("MUSIQ looks at whole patches of every size") {
  const auto views = musiq_views(at::full({1, 3, 33, 64}, 0.75), small_musiq(), {});
  REQUIRE(views.size() == 3);
  // 224 x 116 (115.5 to even), 384 x 198, and the original.
  CHECK(views[0].patches.sizes() == at::IntArrayRef{4 * 7, 3, 32, 32});
  CHECK(views[1].patches.sizes() == at::IntArrayRef{7 * 12, 3, 32, 32});
  CHECK(views[2].patches.sizes() == at::IntArrayRef{2 * 2, 3, 32, 32});
  // 33 rows in 64: 15 zeros above, 16 below.
  CHECK(views[2].patches[0][0].slice(0, 0, 15).abs().max().item<float>() == 0);
  CHECK(views[2].patches[0][0][15][0].item<float>() == 0.5);
  CHECK(views[2].patches[2][0][15][0].item<float>() == 0.5);
  CHECK(views[2].patches[2][0].slice(0, 16).abs().max().item<float>() == 0);
  CHECK(views[2].positions.equal(torch::tensor({0, 5, 50, 55}, at::kLong)));
  MusiqSampling few;
  few.original_patches = 3;
  CHECK(musiq_views(at::zeros({1, 3, 64, 64}), small_musiq(), few)[2].patches.size(0) == 3);
  CHECK_THROWS_WITH_AS(musiq_views(at::zeros({1, 3, 1, 1000}), small_musiq(), {}),
                       doctest::Contains("1000x1"), Error);
}

TEST_CASE("MUSIQ gives a score for any image, the same with any number of threads") {
  at::manual_seed(5);
  MusiqConfig config = small_musiq();
  config.classes = 10;
  const StateDict weights = musiq_weights(config);
  CHECK(musiq_config(weights) == config);
  const Musiq musiq(weights);
  const c10::InferenceMode inference;
  const double flat = musiq(at::full({1, 3, 5, 3}, 0.5));
  CHECK(flat >= 1);
  CHECK(flat <= 10);
  const Tensor image = at::rand({1, 3, 50, 70});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const double alone = musiq(image);
  at::set_num_threads(3);
  CHECK(musiq(image) == doctest::Approx(alone).epsilon(1e-6));
  at::set_num_threads(threads);
}

TEST_CASE("measures refuse what is no image, and weights that are not theirs") {
  const Musiq musiq(musiq_weights(small_musiq()));
  const c10::InferenceMode inference;
  Tensor image = at::zeros({1, 3, 40, 40});
  CHECK_THROWS_WITH_AS(musiq(image[0]), doctest::Contains("[3,40,40]"), Error);
  image[0][1][2][3] = NAN;
  CHECK_THROWS_WITH_AS(musiq(image), doctest::Contains("no numbers"), Error);
  const StateDict nothing;
  CHECK_THROWS_WITH_AS(musiq_config(nothing), doctest::Contains("embedding.weight"), Error);
  CHECK_THROWS_WITH_AS(maniqa_config(nothing), doctest::Contains("vit.pos_embed"), Error);
  CHECK_THROWS_WITH_AS(topiq_config(nothing), doctest::Contains("h_emb"), Error);
}

TEST_CASE("MANIQA's crops leave out the last row of the grid and repeat where there is no room") {
  const auto crops = maniqa_crops(240, 264, 224, 20);
  REQUIRE(crops.size() == 20);
  CHECK(crops[4] == ManiqaCrop{.top = 0, .left = 40});
  CHECK(crops[19] == ManiqaCrop{.top = 12, .left = 40});
  for (const auto& crop : maniqa_crops(225, 227, 224, 20)) CHECK(crop == ManiqaCrop{});
  CHECK(maniqa_crops(232, 248, 224, 2)[1] == ManiqaCrop{.top = 0, .left = 24});
  // A side of just 224 is enlarged, one of 225 is not.
  CHECK(maniqa_input(at::zeros({1, 3, 224, 300}), 224).sizes() == at::IntArrayRef{1, 3, 225, 301});
  CHECK(maniqa_input(at::zeros({1, 3, 225, 300}), 224).sizes() == at::IntArrayRef{1, 3, 225, 300});
  CHECK(maniqa_scale("MANIQA_PIPAL-ae6d356b.pth") == 0.13);
  CHECK(maniqa_scale("ckpt_koniq10k.pt") == 0.8);
}

TEST_CASE("an answer of several shares is their mean") {
  CHECK(mean_opinion(torch::tensor({-3.5f})) == -3.5);
  CHECK(mean_opinion(torch::tensor({{0.25f, 0.25f, 0.5f}})) == doctest::Approx(2.25));
}
