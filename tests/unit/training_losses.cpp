// Losses where no recorded case looks: gradients that must or must not flow, precisions, bad input, and
// SFD's, of which no reference exists.

#include <cmath>
#include <torch/nn/module.h>

#include "clip_testing.h"
#include "nets/feature_net.h"
#include "training/clipiqa_loss.h"
#include "training/feat_d_loss.h"
#include "training/frozen_clip.h"
#include "training/gan_loss.h"
#include "training/ldl_loss.h"
#include "training/optimiser.h"
#include "training/perceptual_loss.h"
#include "training/pixel_loss.h"
#include "training/tg_d_loss.h"
#undef CHECK  // LibTorch's module headers bring glog's; doctest's must come after it
#include "weights_testing.h"

namespace sr::testing {
namespace {

/// Random, of the size that keeps the activations'.
void randomise(const torch::nn::Module& module) {
  const at::NoGradGuard no_grad;
  for (auto& parameter : module.parameters()) {
    const auto inputs = static_cast<double>(parameter.dim() > 0 ? parameter.numel() / parameter.size(0) : 1);
    parameter.normal_(0, std::sqrt(2 / inputs));
  }
}

StateDict vgg_weights(int64_t width, int layers) {
  at::manual_seed(5);
  const FeatureNet network = make_vgg(VggDepth::vgg19, {.width = width, .layers = layers});
  randomise(network);
  StateDict weights;
  for (const auto& entry : network.named_parameters()) weights[entry.key()] = entry.value().detach();
  return weights;
}

Tensor images(int64_t height, int64_t width, int64_t count = 1) {
  at::manual_seed(7);
  return at::rand({count, 3, height, width});
}

double relative_difference(const Tensor& a, const Tensor& b) {
  const Tensor wanted = b.detach().to(at::kDouble);
  return ((a.detach().to(at::kDouble) - wanted).norm() / wanted.norm()).item<double>();
}

}  // namespace

// --- pixels, artifacts -----------------------------------------------------------------------------

TEST_CASE("a weight map of one channel counts as the same map in every channel") {
  const Tensor a = images(6, 5, 2), b = at::rand_like(a), map = at::rand({2, 1, 6, 5});
  for (const Reduction reduction : {Reduction::none, Reduction::mean, Reduction::sum}) {
    const PixelLoss loss{.criterion = PixelLoss::Criterion::charbonnier, .reduction = reduction};
    CHECK(at::allclose(loss(a, b, map), loss(a, b, map.expand_as(a))));
  }
  CHECK(contains(error_of([&] { TotalVariationLoss{.reduction = Reduction::none}(a); }), "mean or a sum"));
}

TEST_CASE("PSNR as a loss is minus the mean of the images' PSNR") {
  const Tensor a = images(8, 8, 2), b = at::cat({a.slice(0, 0, 1) + 0.1, a.slice(0, 1) - 0.01});
  const PixelLoss loss{.criterion = PixelLoss::Criterion::psnr};
  CHECK(loss(a, b).item<double>() == doctest::Approx(-30).epsilon(1e-4));
  CHECK(loss(a, a).item<double>() == doctest::Approx(-80).epsilon(1e-4));
  CHECK(contains(error_of([&] { loss(a, b, at::ones({2, 1, 8, 8})); }), "no weight map"));
}

TEST_CASE("the local variance is that of each window") {
  const Tensor values = at::rand({2, 1, 9, 11}), padded = at::reflection_pad2d(values, {2, 2, 2, 2});
  const Tensor windows = padded.unfold(2, 5, 1).unfold(3, 5, 1);
  CHECK(at::allclose(local_variance(values, 5), windows.var({-1, -2}, /*unbiased=*/true), 1e-5, 1e-7));
  CHECK(local_variance(at::full({1, 1, 8, 8}, 0.3F), 7).lt(1e-12).all().item<bool>());
  CHECK(contains(error_of([&] { local_variance(values, 4); }), "odd side of 3 pixels or more, not 4"));
}

TEST_CASE("LDL: an output that meets its target has a finite gradient") {
  const Tensor target = images(16, 16, 2);
  const Tensor output = target.clone().requires_grad_();
  const Tensor loss = LdlLoss{}(output, target, target);
  loss.backward();
  CHECK(loss.item<double>() == 0);
  CHECK(output.grad().isfinite().all().item<bool>());
  const Tensor worse = artifact_map(target, at::zeros_like(target), target, 7);
  CHECK(worse.eq(0).all().item<bool>());
}

// --- VGG -------------------------------------------------------------------------------------------

TEST_CASE("VGG's layers by name and by number") {
  const auto number = [](const char* name) { return vgg_layer(VggDepth::vgg19, name); };
  CHECK(number("conv1_2") == 2);
  CHECK(number("conv2_2") == 7);
  CHECK(number("conv3_4") == 16);
  CHECK(number("conv4_4") == 25);
  CHECK(number("conv5_4") == 34);
  CHECK(number("relu5_4") == 35);
  CHECK(number("pool5") == 36);
  CHECK(number("34") == 34);
  CHECK(vgg_layer(VggDepth::vgg16, "relu5_3") == kVgg16Stages[4]);
  CHECK(contains(error_of([&] { number("conv6_1"); }), "VGG-19 has no layer conv6_1"));
  CHECK(contains(error_of([&] { number("37"); }), "no layer 37"));
  CHECK(contains(error_of([&] { vgg_layer(VggDepth::vgg16, "conv3_4"); }), "VGG-16 has no layer conv3_4"));
}

TEST_CASE("VGG's features come in the order asked for, a convolution's before its activation") {
  const StateDict weights = vgg_weights(4, 8);
  const VggFeatures vgg({.layers = {"relu2_2", "conv1_2", "7", "conv2_2"}}, [&] {
    StateDict longer = weights;
    const StateDict deeper = vgg_weights(4, 11);
    longer["features.10.weight"] = deeper.at("features.10.weight");
    longer["features.10.bias"] = deeper.at("features.10.bias");
    return longer;
  }());
  const auto found = vgg(images(12, 10));
  REQUIRE(found.size() == 4);
  CHECK(found[0].equal(found[2].relu()));
  CHECK(found[2].equal(found[3]));
  CHECK(found[2].lt(0).any().item<bool>());
  CHECK((found[1].sizes() == at::IntArrayRef{1, 4, 12, 10}));
}

TEST_CASE("VGG's features: errors") {
  const StateDict weights = vgg_weights(4, 3);
  CHECK(contains(error_of([&] { VggFeatures({.layers = {}}, weights); }), "needs a layer"));
  CHECK(contains(error_of([&] { VggFeatures({.layers = {"conv2_1"}}, weights); }),
                 "features.5.weight is missing"));
  CHECK(contains(error_of([&] { VggFeatures({.layers = {"pool1"}, .pooling_stride = {}}, weights); }),
                 "without pooling has no layer pool1"));
  CHECK(contains(error_of([&] { VggFeatures({.layers = {"conv1_1"}}, {}); }), "features.0.weight"));
  PerceptualLossConfig config = PerceptualLossConfig::sed();
  config.layer_weights.pop_back();
  CHECK(contains(error_of([&] { PerceptualLoss(config, weights); }), "5 layers and 4 weights"));
}

TEST_CASE("VGG's features: the fast way without a gradient agrees with the other") {
  const VggFeatures vgg({.layers = {"conv2_2", "relu2_2"}}, vgg_weights(64, 9));
  const Tensor input = images(40, 56);
  const auto with = vgg(input.clone().requires_grad_());
  const at::NoGradGuard no_grad;
  const auto without = vgg(input);
  for (size_t i = 0; i < with.size(); ++i) CHECK(relative_difference(without[i], with[i]) < 1e-5);
}

TEST_CASE("the perceptual loss in any float type") {
  PerceptualLossConfig config;
  config.vgg.layers = {"conv1_2", "conv2_2"};
  config.layer_weights = {0.5, 1};
  config.style_weight = 10;
  PerceptualLoss loss(config, vgg_weights(8, 8));
  const Tensor target = images(24, 24, 2), guess = (target + 0.2 * at::randn_like(target)).clamp(0, 1);
  const auto run = [&](at::ScalarType type) {
    const Tensor input = guess.to(type, /*non_blocking=*/false, /*copy=*/true).requires_grad_();
    const auto terms = loss(input, target.to(type));
    CHECK((terms.features.scalar_type() == at::kFloat));
    CHECK((terms.style.scalar_type() == at::kFloat));
    terms.sum().backward();
    CHECK((input.grad().scalar_type() == type));
    return std::pair{terms.sum().detach(), input.grad()};
  };
  const auto [value, gradient] = run(at::kFloat);
  CHECK(gradient.norm().item<double>() > 0);
  CHECK(relative_difference(run(at::kDouble).first, value) < 1e-6);
  CHECK(relative_difference(run(at::kBFloat16).first, value) < 2e-2);
  loss.set_precision(at::kBFloat16);
  const auto [low_value, low_gradient] = run(at::kFloat);
  CHECK(relative_difference(low_value, value) < 2e-2);
  CHECK(at::cosine_similarity(low_gradient.flatten(), gradient.flatten(), 0).item<double>() > 0.9);
}

TEST_CASE("the perceptual loss: no gradient reaches the target, and terms of weight 0 are left out") {
  PerceptualLossConfig config;
  config.vgg.layers = {"conv1_2"};
  config.layer_weights = {1};
  const StateDict weights = vgg_weights(4, 3);
  const Tensor a = images(8, 8).requires_grad_(), b = at::rand({1, 3, 8, 8}).requires_grad_();
  const auto terms = PerceptualLoss(config, weights)(a, b);
  CHECK_FALSE(terms.style.defined());
  terms.sum().backward();
  CHECK(a.grad().defined());
  CHECK_FALSE(b.grad().defined());
  config.weight = 0;
  config.style_weight = 1;
  const auto style = PerceptualLoss(config, weights)(a, b);
  CHECK_FALSE(style.features.defined());
  CHECK(style.sum().item<double>() > 0);
}

// --- SFD -------------------------------------------------------------------------------------------

namespace {

/// CLIP and SFD's discriminators, small and random.
struct Sfd {
  Sfd()
      : clip({.visual = ClipResNetConfig{.layers = {1, 1, 1, 1},
                                         .width = 16,
                                         .output_dim = 24,
                                         .heads = 8,
                                         .input_resolution = 64},
              .text = {.embed_dim = 24,
                       .context_length = 77,
                       .vocab_size = 49408,
                       .width = 8,
                       .heads = 1,
                       .layers = 1}}),
        feat_d({.channels = {64, 128, 256}, .width = 8}),
        prompts({.pairs = 3, .tokens = 4, .width = 8}) {
    at::manual_seed(11);
    randomise(clip);
    for (auto& parameter : clip.parameters()) parameter.requires_grad_(false);
    clip.eval();
    clip.logit_scale.fill_(1);
    feat_d.draw();
    prompts.draw();
    const at::NoGradGuard no_grad;  // the singular vectors are drawn, and come true in a few passes
    for (int i = 0; i < 5; ++i) feat_d.forward(made_levels(0).levels);
  }

  /// What CLIP might see in two images of one kind.
  static ClipImage made_levels(double centre) {
    return {{at::randn({2, 64, 8, 10}) + centre, at::randn({2, 128, 4, 5}) + centre,
             at::randn({2, 256, 2, 3}) + centre},
            at::randn({2, 24}) + centre};
  }

  Clip clip;
  FeatD feat_d;
  PromptPairs prompts;
};

const FeatureLevels& levels_of(const ClipImage& image) { return image.levels; }

}  // namespace

TEST_CASE("frozen CLIP: batches, and gradients with respect to the images") {
  Sfd sfd;
  const Tensor batch = images(40, 48, 2);
  const auto tower = std::dynamic_pointer_cast<ModifiedResNet>(sfd.clip.visual);
  const Tensor plain = batch.clone().requires_grad_();
  tower->pooled(tower->features(normalised(plain, kClipNormalisation)).back(), ModifiedResNet::Position::none)
      .square()
      .sum()
      .backward();
  const FrozenClip clip(sfd.clip);
  const Tensor followed = batch.clone().requires_grad_();
  const ClipImage found = clip(followed);
  found.feature.square().sum().backward();
  CHECK(relative_difference(followed.grad(), plain.grad()) < 1e-4);

  const ClipFeatures single(sfd.clip);
  const at::NoGradGuard no_grad;
  for (int64_t i = 0; i < 2; ++i) {
    const ClipImage one = single(batch.narrow(0, i, 1));
    CHECK(relative_difference(found.feature.narrow(0, i, 1), one.feature) < 1e-4);
    for (size_t level = 0; level < 3; ++level)
      CHECK(relative_difference(found.levels[level].narrow(0, i, 1), one.levels[level]) < 1e-4);
  }
  CHECK(contains(error_of([&] { clip(images(30, 64)); }), "31 pixels"));
}

TEST_CASE("Feat-D's losses: values, and where gradients go") {
  Sfd sfd;
  sfd.feat_d.eval();
  const FrozenClip clip(sfd.clip);
  const Tensor image = images(48, 40, 2).requires_grad_();
  const ClipImage features = clip(image);
  const Tensor scores = sfd.feat_d.forward(features.levels).sigmoid().detach();
  const auto close = [](const Tensor& loss, const Tensor& expected) {
    return std::abs(loss.item<double>() - expected.item<double>()) < 1e-5;
  };
  const Tensor generator = feat_d_generator_loss(sfd.feat_d, levels_of(features));
  CHECK(close(generator, -scores.log().mean()));
  CHECK(close(feat_d_real_loss(sfd.feat_d, features.levels), -scores.log().mean()));
  CHECK(close(feat_d_fake_loss(sfd.feat_d, features.levels), -(1 - scores).log().mean()));
  feat_d_real_loss(sfd.feat_d, features.levels).backward();
  CHECK_FALSE(image.grad().defined());
  CHECK(sfd.feat_d.parameters()[0].grad().defined());
  generator.backward();
  CHECK(image.grad().norm().item<double>() > 0);
}

TEST_CASE("TG-D's losses: the cross-entropy of the mean score, and where gradients go") {
  Sfd sfd;
  const Tensor features = at::randn({4, 24}).requires_grad_();
  const Tensor texts = sfd.prompts.texts(sfd.clip);
  const Tensor score = pair_scores(features, texts, 3).detach();
  CHECK(tg_d_generator_loss(features, texts, 3).item<double>() ==
        doctest::Approx(-score.log().mean().item<double>()).epsilon(1e-4));
  CHECK(tg_d_real_loss(features, texts, 3).item<double>() ==
        doctest::Approx(-score.log().mean().item<double>()).epsilon(1e-4));
  CHECK(tg_d_fake_loss(features, texts, 3).item<double>() ==
        doctest::Approx(-(1 - score).log().mean().item<double>()).epsilon(1e-4));
  tg_d_fake_loss(features, texts, 3).backward();
  CHECK_FALSE(features.grad().defined());
  CHECK(sfd.prompts.positive.grad().norm().item<double>() > 0);
  CHECK(sfd.prompts.negative.grad().norm().item<double>() > 0);
  sfd.prompts.positive.mutable_grad() = Tensor();
  tg_d_generator_loss(features, texts, 3).backward();
  CHECK(features.grad().norm().item<double>() > 0);
  CHECK_FALSE(sfd.prompts.positive.grad().defined());
}

TEST_CASE("TG-D's losses stay alive where the score is 0 or 1 in float32") {
  const Tensor texts = torch::tensor({{1.0F, 0.1F}, {-1.0F, 0.1F}});
  const Tensor features = torch::tensor({{-1.0F, 0.2F}}).requires_grad_();
  CHECK(pair_scores(features, texts, 100).item<double>() < 1e-30);
  const Tensor loss = tg_d_generator_loss(features, texts, 100);
  loss.backward();
  CHECK(loss.item<double>() > 100);
  CHECK(features.grad().isfinite().all().item<bool>());
  CHECK(features.grad().norm().item<double>() > 1);
}

TEST_CASE("SFD's discriminators learn to tell two kinds of images apart") {
  Sfd sfd;
  const ClipImage real = Sfd::made_levels(1), fake = Sfd::made_levels(-1);
  const auto train = [](const torch::nn::Module& module, int steps, const auto& loss) {
    Adam adam(trained_parameters(module), {});
    for (int step = 0; step < steps; ++step) {
      loss().backward();
      adam.step(3e-2);
      drop_gradients(adam.parameters());
    }
  };
  train(sfd.feat_d, 35, [&] {
    return feat_d_real_loss(sfd.feat_d, real.levels) + feat_d_fake_loss(sfd.feat_d, fake.levels);
  });
  train(sfd.prompts, 100, [&] {
    const Tensor texts = sfd.prompts.texts(sfd.clip);
    return tg_d_real_loss(real.feature, texts, 10) + tg_d_fake_loss(fake.feature, texts, 10);
  });
  const at::NoGradGuard no_grad;
  const auto map = [&](const ClipImage& image) {
    return sfd.feat_d.forward(image.levels).mean().item<double>();
  };
  CHECK(map(real) > map(fake) + 0.5);
  const Tensor texts = sfd.prompts.texts(sfd.clip);
  const auto score = [&](const ClipImage& image) {
    return pair_scores(image.feature, texts, 10).mean().item<double>();
  };
  CHECK(score(real) > score(fake) + 0.25);
}

TEST_CASE("the loss by CLIP-IQA is -log of its score") {
  Sfd sfd;
  const ScratchFolder folder;
  const ClipTokenizer tokenizer(folder.write("bpe.txt", made_up_vocabulary()));
  const ClipIqaLoss loss(sfd.clip, tokenizer, clipiqa_five_prompts());
  const auto features = std::make_shared<ClipFeatures>(sfd.clip);
  const ClipIqa measure(features, sfd.clip, tokenizer, clipiqa_five_prompts());
  const Tensor image = images(40, 40);
  CHECK(loss((*features)(image).feature).item<double>() ==
        doctest::Approx(-std::log(measure(image))).epsilon(1e-4));
}

}  // namespace sr::testing
