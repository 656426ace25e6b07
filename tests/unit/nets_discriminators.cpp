// Discriminators where the goldens are silent: sizes, errors, how weights begin, batch norms in training.

#include <algorithm>
#include <map>
#include <vector>

#include "nets/discriminator.h"
#include "nets/nlayer_disc.h"
#include "semantics_testing.h"

namespace sr::testing {
namespace {

using Kind = DiscriminatorConfig::Kind;
using Fusion = SemanticFusionConfig::Kind;
using PatchNorm = DiscriminatorConfig::PatchNorm;

constexpr SemanticFusionConfig small_fusion{
    .kind = Fusion::attention, .channels = 256, .stride = 16, .heads = 2, .head_width = 4, .depth = 1};
constexpr Kind all_kinds[] = {Kind::unet,  Kind::vgg,   Kind::patchgan, Kind::nlayer,
                              Kind::sed_p, Kind::sed_u, Kind::sed_v};
constexpr Kind semantic_kinds[] = {Kind::sed_p, Kind::sed_u, Kind::sed_v};

DiscriminatorConfig small(Kind kind) {
  DiscriminatorConfig config;
  config.kind = kind;
  config.width = kind == Kind::sed_v || kind == Kind::vgg ? 2 : 4;
  config.fusion = small_fusion;
  return config;
}

std::shared_ptr<Discriminator> drawn(const DiscriminatorConfig& config, uint64_t seed = 1) {
  auto network = make_discriminator(config);
  network->draw(seeded(seed));
  return network;
}

/// Semantics for an image of this size.
Tensor semantics_for(const Tensor& image, const SemanticFusionConfig& fusion) {
  return noise(
      {image.size(0), fusion.channels, image.size(2) / fusion.stride, image.size(3) / fusion.stride});
}

Shape scores(const DiscriminatorConfig& config, int64_t height, int64_t width) {
  const Tensor image = noise({2, 3, height, width});
  return drawn(config)
      ->forward(image, config.semantic() ? semantics_for(image, config.fusion) : Tensor())
      .sizes()
      .vec();
}

std::string refusal(const DiscriminatorConfig& config, const Tensor& image, const Tensor& semantics = {}) {
  return error_of([&] { drawn(config)->forward(image, semantics); });
}

}  // namespace

// --- discriminators --------------------------------------------------------------------------------

TEST_CASE("discriminators score images of any size that fits") {
  auto patchgan = small(Kind::patchgan);
  auto nlayer = small(Kind::nlayer);
  CHECK(scores(small(Kind::unet), 24, 40) == Shape{2, 1, 24, 40});
  CHECK(scores(small(Kind::vgg), 128, 128) == Shape{2, 1});
  CHECK(scores(patchgan, 41, 35) == Shape{2, 1, 8, 8});
  CHECK(scores(patchgan, 1, 3) == Shape{2, 1, 3, 4});
  patchgan.layers = 1;
  CHECK(scores(patchgan, 41, 35) == Shape{2, 1, 23, 20});
  CHECK(scores(nlayer, 43, 25) == Shape{2, 1, 3, 1});
  nlayer.layers = 2;
  CHECK(scores(nlayer, 12, 19) == Shape{2, 1, 1, 2});
  CHECK(scores(small(Kind::sed_p), 32, 48) == Shape{2, 1, 2, 4});
  CHECK(scores(small(Kind::sed_u), 16, 48) == Shape{2, 1, 16, 48});
  CHECK(scores(small(Kind::sed_v), 128, 128) == Shape{2, 1});
  auto large = small(Kind::sed_v);
  large.image_size = 256;
  CHECK(scores(large, 256, 256) == Shape{2, 1});
}

TEST_CASE("discriminators say which sizes they take") {
  CHECK(contains(refusal(small(Kind::unet), noise({1, 3, 20, 16})), "divide by 8, not 16x20"));
  CHECK(contains(refusal(small(Kind::unet), noise({1, 1, 16, 16})), "[N,3,H,W], not [1,1,16,16]"));
  CHECK(contains(refusal(small(Kind::vgg), noise({1, 3, 128, 64})), "128x128, not 64x128"));
  CHECK(contains(refusal(small(Kind::nlayer), noise({1, 3, 23, 40})), "24x24 at least, not 40x23"));
  auto odd = small(Kind::vgg);
  odd.image_size = 96;
  CHECK(contains(error_of([&] { make_discriminator(odd); }), "side 128 or 256, not 96"));
  auto flat = small(Kind::patchgan);
  flat.layers = 0;
  CHECK(contains(error_of([&] { make_discriminator(flat); }), "one layer at least"));
}

TEST_CASE("SeD says which semantics it takes") {
  const Tensor image = noise({1, 3, 128, 128});
  for (const Kind kind : semantic_kinds) {
    CHECK(contains(refusal(small(kind), image), "needs semantics"));
    CHECK(contains(refusal(small(kind), image, noise({1, 256, 8, 7})), "16 times the semantics'"));
    CHECK(contains(refusal(small(kind), image, noise({2, 256, 8, 8})), "don't fit"));
    CHECK(contains(refusal(small(kind), image, noise({1, 128, 8, 8})), "have 256 channels"));
  }
  const Tensor odd = noise({1, 3, 136, 128}), tiny = noise({1, 3, 16, 16});
  CHECK(contains(refusal(small(Kind::sed_p), odd, noise({1, 256, 8, 8})), "don't fit"));
  CHECK(contains(refusal(small(Kind::sed_p), tiny, noise({1, 256, 1, 1})), "24x24 at least"));
  auto config = small(Kind::sed_p);
  config.fusion.channels = 40;
  CHECK(contains(error_of([&] { make_discriminator(config); }), "can't group 40 channels"));
  config.fusion.channels = 32;
  config.fusion.stride = 32;
  CHECK(contains(error_of([&] { make_discriminator(config); }), "over 8x8 pixels"));
  config.fusion.channels = 288;
  config.fusion.stride = 12;
  CHECK(contains(error_of([&] { make_discriminator(config); }), "one stride is 12"));
}

TEST_CASE("the same seed draws the same weights") {
  for (const Kind kind : all_kinds) {
    CAPTURE(static_cast<int>(kind));
    at::manual_seed(1);
    const auto first = drawn(small(kind), 7);
    at::manual_seed(2);  // which must not matter
    CHECK(same(*first, *drawn(small(kind), 7)));
    CHECK_FALSE(same(*first, *drawn(small(kind), 8)));
  }
}

TEST_CASE("one backward pass may follow several forward passes, each of which moves the buffers") {
  for (const Kind kind : {Kind::unet, Kind::vgg, Kind::patchgan, Kind::nlayer, Kind::sed_v}) {
    CAPTURE(static_cast<int>(kind));
    const auto network = drawn(small(kind)), twin = drawn(small(kind));
    const int64_t side = kind == Kind::vgg || kind == Kind::sed_v ? 128 : 32;
    const Tensor real = noise({2, 3, side, side}), fake = noise({2, 3, side, side}, 3);
    const Tensor semantics = semantics_for(real, small_fusion);
    const Tensor of_real = network->forward(real, semantics), of_fake = network->forward(fake, semantics);
    (of_real - of_fake).mean().backward();
    twin->forward(real, semantics).mean().backward();
    CHECK_FALSE(same(*network, *twin));
    (-twin->forward(fake, semantics).mean()).backward();
    CHECK(same(*network, *twin));
    const Tensor together = network->parameters().front().grad(), apart = twin->parameters().front().grad();
    CHECK(together.allclose(apart, 1e-3, 1e-7));
  }
}

TEST_CASE("weights begin as the official code's") {
  auto config = small(Kind::sed_p);
  config.width = 16;
  const auto p = tensors_of(*drawn(config));
  for (const char* key : {"conv2.weight_orig", "att1.proj_out.weight", "conv_last.weight"})
    CHECK(p.at(key).std().item<double>() == doctest::Approx(0.02).epsilon(0.1));
  for (const char* key : {"conv2.bias", "att3.conv_out.bias", "att1.transformer_blocks.0.ff.net.2.bias"})
    CHECK(p.at(key).abs().max().item<double>() == 0);
  CHECK(p.at("conv2.weight_u").norm().item<double>() == doctest::Approx(1));
  for (const Kind kind : {Kind::sed_u, Kind::sed_v}) {
    const auto drawn_tensors = tensors_of(*drawn(small(kind)));
    CHECK(drawn_tensors.at("att2.proj_out.weight").abs().max().item<double>() == 0);
    CHECK(drawn_tensors.at("att2.proj_in.bias").abs().max().item<double>() > 0);
  }
  const auto unet = tensors_of(*drawn(small(Kind::unet)));
  const double limit = 1 / std::sqrt(3 * 9), largest = unet.at("conv0.weight").abs().max().item<double>();
  CHECK(largest <= limit);
  CHECK(largest > 0.9 * limit);
  const auto nlayer = tensors_of(*drawn(small(Kind::nlayer)));
  CHECK(nlayer.at("model.0.bias").abs().max().item<double>() == 0);
  CHECK(nlayer.at("model.3.weight").mean().item<double>() == doctest::Approx(1).epsilon(0.05));
}

TEST_CASE("pix2pix's PatchGAN takes the keys of its copy") {
  const auto network = drawn(small(Kind::nlayer));
  StateDict copied;
  for (const auto& [key, tensor] : tensors_of(*network)) copied["main." + key.substr(6)] = tensor;
  const auto other = make_discriminator(small(Kind::nlayer));
  copy_weights(*other, nlayer_keys(copied));
  CHECK(same(*network, *other));
  CHECK(other->is_training());
  CHECK(other->parameters()[0].requires_grad());
}

TEST_CASE("the last layer answers features, of so many channels as is said") {
  const Tensor image = noise({2, 3, 128, 128});
  for (const Kind kind : all_kinds) {
    CAPTURE(static_cast<int>(kind));
    const auto config = small(kind);
    const auto network = drawn(config);
    network->eval();
    const at::NoGradGuard no_grad;
    const Tensor semantics = config.semantic() ? semantics_for(image, config.fusion) : Tensor();
    const Tensor features = network->features(image, semantics);
    CHECK(features.size(1) == network->feature_channels());
    CHECK(features.dim() == network->forward(image, semantics).dim());
    CHECK(features.min().item<double>() < 0);  // after a leaky activation, with all that it lets through
    CHECK(features.max().item<double>() > -2 * features.min().item<double>());
  }
}

TEST_CASE("a discriminator's keys tell what it is") {
  for (const Kind kind : all_kinds) {
    CAPTURE(static_cast<int>(kind));
    auto config = small(kind);
    config.fusion.heads = 1;  // a product of the two is all that there is to see
    config.fusion.depth = 2;
    const auto network = drawn(config);
    const auto found = discriminator_config(tensors_of(*network));
    CHECK(found.kind == kind);
    CHECK(found.width == config.width);
    CHECK((!config.semantic() || found.fusion == config.fusion));
    const auto again = make_trained_discriminator(found, tensors_of(*network));
    CHECK(same(*network, *again));
    CHECK_FALSE(again->is_training());
  }
  for (const int64_t stride : {4, 8, 32}) {
    auto config = small(Kind::sed_u);
    config.fusion.stride = stride;
    CHECK(discriminator_config(tensors_of(*drawn(config))).fusion.stride == stride);
  }
  for (const Fusion fusion : {Fusion::concatenation, Fusion::channel, Fusion::spatial}) {
    auto config = small(Kind::sed_v);
    config.fusion.kind = fusion;
    config.image_size = 256;
    const auto found = discriminator_config(tensors_of(*drawn(config)));
    CHECK(found.fusion.kind == fusion);
    CHECK(found.image_size == 256);
  }
  auto patchgan = small(Kind::patchgan);
  patchgan.layers = 2;
  patchgan.fusion = {};
  for (const auto norm : {PatchNorm::spectral, PatchNorm::batch, PatchNorm::batch_spectral}) {
    patchgan.norm = norm;
    CHECK((discriminator_config(tensors_of(*drawn(patchgan))) == patchgan));
  }
  patchgan.norm = PatchNorm::instance;
  CHECK(contains(error_of([&] { discriminator_config(tensors_of(*drawn(patchgan))); }), "don't tell"));
  CHECK(contains(error_of([] { discriminator_config(tensors_of(*small_semantics(3))); }),
                 "not a discriminator's but"));
}

// --- SeD -------------------------------------------------------------------------------------------

TEST_CASE("every parameter of SeD and its ablations learns") {
  for (const Kind kind : semantic_kinds) {
    for (const Fusion fusion : {Fusion::attention, Fusion::concatenation, Fusion::channel, Fusion::spatial}) {
      auto config = small(kind);
      config.fusion.kind = fusion;
      config.fusion.head_width = 16;
      const auto network = drawn(config);
      draw_normal(*network, 0.2, seeded(4));  // the last projections begin at zero and would let nothing past
      const int64_t side = kind == Kind::sed_v ? 128 : 32;
      const Tensor image = noise({2, 3, side, side}).requires_grad_(true);
      const Tensor output = network->forward(image, semantics_for(image, config.fusion));
      output.sigmoid().mean().backward();
      CAPTURE(static_cast<int>(kind));
      CAPTURE(static_cast<int>(fusion));
      CHECK(output.isfinite().all().item<bool>());
      CHECK(image.grad().abs().max().item<float>() > 0);
      CHECK(unlearning(*network) == std::vector<std::string>{});
    }
  }
}

TEST_CASE("SeD looks at the semantics and leaves them as they are") {
  for (const Kind kind : semantic_kinds) {
    const auto network = drawn(small(kind));
    draw_normal(*network, 0.2, seeded(4));
    network->eval();
    const at::NoGradGuard no_grad;
    const Tensor image = noise({1, 3, 128, 128});
    const Tensor semantics = semantics_for(image, small_fusion).contiguous(at::MemoryFormat::ChannelsLast);
    const Tensor before = semantics.clone(), score = network->forward(image, semantics);
    CHECK(semantics.equal(before));
    CHECK_FALSE(network->forward(image, semantics.flip(2)).equal(score));
    CHECK(network->forward(image, semantics).equal(score));
  }
}

TEST_CASE("SeD takes semantics of every level") {
  for (const Kind kind : semantic_kinds) {
    for (const int64_t stride : {4, 8, 16, 32}) {
      auto config = small(kind);
      config.fusion.stride = stride;
      const int64_t side = kind == Kind::sed_v ? 128 : 64;
      CAPTURE(stride);
      const Shape expected = kind == Kind::sed_p   ? Shape{2, 1, 6, 6}
                             : kind == Kind::sed_u ? Shape{2, 1, 64, 64}
                                                   : Shape{2, 1};
      CHECK(scores(config, side, side) == expected);
    }
  }
}

// --- batch norms -----------------------------------------------------------------------------------

TEST_CASE("batch norms follow batches in training only") {
  BatchNorm norm(3);
  const Tensor batch = 5 * noise({4, 3, 5, 2}) + 1;
  const Tensor mean = batch.mean({0, 2, 3}), variance = batch.var({0, 2, 3}, /*unbiased=*/true);
  const Tensor normalised = norm.forward(batch).detach();
  CHECK(normalised.mean({0, 2, 3}).abs().max().item<double>() < 1e-5);
  CHECK(norm.running_mean.allclose(0.1 * mean));
  CHECK(norm.running_var.allclose(0.9 + 0.1 * variance));
  CHECK(norm.num_batches_tracked.item<int64_t>() == 1);
  norm.eval();
  const Tensor kept = norm.running_mean.clone(), out = norm.forward(batch).detach();
  CHECK(norm.running_mean.equal(kept));
  CHECK(norm.num_batches_tracked.item<int64_t>() == 1);
  const auto row = [](const Tensor& values) { return values.view({1, 3, 1, 1}); };
  CHECK(out.allclose((batch - row(kept)) / (row(norm.running_var) + 1e-5).sqrt(), 1e-4, 1e-6));
  norm.train();
  CHECK(contains(error_of([&] { norm.forward(noise({1, 3, 1, 1})); }), "one value per channel"));
  norm.reset();
  CHECK(same(norm, BatchNorm(3)));
}

}  // namespace sr::testing
