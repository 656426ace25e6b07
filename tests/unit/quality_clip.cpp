// CLIP-IQA and SFD-IQA: bad input, and that sharing features changes nothing.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <torch/nn/module.h>

#include "clip_testing.h"
#include "quality/clipiqa.h"
#include "quality/sfd_iqa.h"
#undef CHECK  // LibTorch's module headers bring glog's; doctest's must come after it
#include "weights_testing.h"

namespace sr::testing {
namespace {

void randomise(torch::nn::Module& module) {
  const at::NoGradGuard no_grad;
  for (auto& parameter : module.parameters()) {
    const auto inputs = static_cast<double>(parameter.dim() > 0 ? parameter.numel() / parameter.size(0) : 1);
    parameter.normal_(0, 1 / std::sqrt(inputs));
    parameter.requires_grad_(false);
  }
  module.eval();
}

/// CLIP small and random.
struct Towers {
  Towers() : clip(config()) {
    at::manual_seed(11);
    randomise(clip);
    clip.logit_scale.fill_(1);
    features = std::make_shared<ClipFeatures>(clip);
  }
  static ClipConfig config() {
    return {
        .visual =
            ClipResNetConfig{
                .layers = {1, 1, 1, 1}, .width = 16, .output_dim = 24, .heads = 8, .input_resolution = 64},
        .text = {
            .embed_dim = 24, .context_length = 77, .vocab_size = 49408, .width = 8, .heads = 1, .layers = 1}};
  }

  Clip clip;
  std::shared_ptr<ClipFeatures> features;
};

StateDict sfd_weights(const std::array<int64_t, 3>& channels) {
  SfdDiscriminators sfd({.channels = channels, .width = 16}, {.pairs = 2, .tokens = 4, .width = 8});
  at::manual_seed(17);
  sfd.feat_d->draw();
  sfd.tg_d->draw();
  StateDict weights;
  for (const auto& entry : sfd.named_parameters()) weights[entry.key()] = entry.value().detach();
  for (const auto& entry : sfd.named_buffers()) weights[entry.key()] = entry.value();
  return weights;
}

Tensor picture(int64_t height, int64_t width) {
  at::manual_seed(13);
  return at::rand({1, 3, height, width});
}

}  // namespace

TEST_CASE("CLIP's features: errors, and the same values from any number of threads") {
  const at::NoGradGuard no_grad;
  const Towers towers;
  const ClipFeatures& features = *towers.features;
  CHECK(contains(error_of([&] { features(picture(30, 64), "CLIP-IQA"); }), "CLIP-IQA needs 31 pixels"));
  Tensor broken = picture(40, 40);
  broken[0][1][2][3] = std::numeric_limits<float>::quiet_NaN();
  CHECK(contains(error_of([&] { features(broken); }), "no numbers"));
  const ClipImage smallest = features(picture(31, 31));
  CHECK(smallest.feature.isfinite().all().item<bool>());

  const int threads = at::get_num_threads();
  const Tensor image = picture(70, 95);
  at::set_num_threads(1);
  const Tensor alone = features(image).feature;
  at::set_num_threads(2);
  const Tensor together = features(image).feature;
  at::set_num_threads(threads);
  CHECK((alone - together).abs().max().item<double>() < 1e-5 * alone.abs().max().item<double>());
}

TEST_CASE("SFD-IQA is what its formula says, from an image or from its features") {
  const at::NoGradGuard no_grad;
  const Towers towers;
  const ScratchFolder folder;
  const ClipTokenizer tokenizer(folder.write("bpe.txt", made_up_vocabulary()));
  const StateDict weights = sfd_weights({64, 128, 256});
  const ClipIqa clipiqa(towers.features, towers.clip, tokenizer);
  const SfdIqa sfd_iqa(towers.features, towers.clip, tokenizer, weights);

  const Tensor image = picture(67, 96);
  const ClipImage seen = (*towers.features)(image);
  const auto networks = make_sfd(weights);
  const double learnt =
      pair_scores(seen.feature, networks->tg_d->texts(towers.clip), std::exp(1.0)).item<double>();
  const double map = networks->feat_d->forward(seen.levels).sigmoid().mean().item<double>();
  CHECK(sfd_iqa(image) == doctest::Approx((0.9 * clipiqa(seen) + 0.1 * learnt) * map).epsilon(1e-5));
  CHECK(sfd_iqa(seen) == sfd_iqa(image));
  const auto part = [&](SfdIqaPart part) {
    return SfdIqa(towers.features, towers.clip, tokenizer, weights, part)(seen);
  };
  CHECK(part(SfdIqaPart::feat_d) == doctest::Approx(clipiqa(seen) * map).epsilon(1e-5));
  CHECK(part(SfdIqaPart::tg_d) == doctest::Approx(0.9 * clipiqa(seen) + 0.1 * learnt).epsilon(1e-5));
  CHECK(clipiqa(seen) == clipiqa(image));

  CHECK(contains(error_of([&] {
                   SfdIqa(towers.features, towers.clip, tokenizer, sfd_weights({64, 128, 200}));
                 }),
                 "200 channels, not CLIP's 256 at level 3"));
  CHECK(
      contains(error_of([&] { ClipIqa(towers.features, towers.clip, tokenizer, {}); }), "a pair of prompts"));
}

TEST_CASE("weights that are no numbers give an error, not a score") {
  const at::NoGradGuard no_grad;
  Towers towers;
  const ScratchFolder folder;
  const ClipTokenizer tokenizer(folder.write("bpe.txt", made_up_vocabulary()));
  towers.clip.text_projection.fill_(std::numeric_limits<float>::quiet_NaN());
  const ClipIqa clipiqa(towers.features, towers.clip, tokenizer);
  CHECK(contains(error_of([&] { clipiqa(picture(40, 40)); }), "broken"));
}

}  // namespace sr::testing
