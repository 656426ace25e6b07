// Semantics and Se-RRDB, which have no official code or none that the goldens cover: levels, modes, files,
// errors.

#include <vector>

#include "nets/se_rrdb.h"
#include "semantics_testing.h"

namespace sr::testing {
namespace {

using Fusion = SemanticFusionConfig::Kind;

SeRRDBConfig small_se_rrdb() {
  SeRRDBConfig config;
  config.rrdb.features = 8;
  config.rrdb.growth = 4;
  config.blocks = 4;
  config.fused = {2, 4};
  config.fusion = {.channels = 256, .stride = 32, .heads = 1, .head_width = 8};
  config.rrdb.unshuffle = 2;
  return config;
}

struct SeRRDBFile {
  std::shared_ptr<SeRRDBNet> network;
  StateDict tensors;
};

/// As sr-train exports it, in inference.
SeRRDBFile se_rrdb_of(const SeRRDBConfig& config, const std::shared_ptr<SemanticExtractor>& semantics) {
  auto network = std::make_shared<SeRRDBNet>(config, semantics);
  draw_normal(*network, 0.1, seeded(6));
  network->eval();
  return {network, se_rrdb_file(tensors_of(*network), *semantics)};
}

}  // namespace

// --- semantics -------------------------------------------------------------------------------------

TEST_CASE("semantics come from the level that is asked for") {
  const Tensor images = noise({2, 3, 64, 96});
  for (const int level : {1, 2, 3, 4}) {
    const auto clip = small_semantics(level);
    auto network = std::make_shared<ResNet>(Shape{1, 1, 1, 1}, 8);
    draw_defaults(*network, seeded(3));
    const ResNetSemantics imagenet(network, level, 8);
    for (const SemanticExtractor* semantics : {static_cast<const SemanticExtractor*>(clip.get()),
                                               static_cast<const SemanticExtractor*>(&imagenet)}) {
      const int64_t stride = semantics->stride();
      CHECK(stride == 2 << level);
      CHECK(semantics->channels() == 16 << level);
      CHECK(semantics->forward(images).sizes() == Shape{2, semantics->channels(), 64 / stride, 96 / stride});
    }
    CHECK(tensors_of(*clip).count("layer4.0.downsample.1.num_batches_tracked") == 1);
  }
  CHECK(contains(error_of([] { small_semantics(5); }), "not 5"));
  CHECK(contains(error_of([&] { small_semantics(3)->forward(noise({1, 3, 15, 64})); }), "16x16 at least"));
}

TEST_CASE("the extractor's batch norms follow its mode") {
  const auto semantics = small_semantics(3);
  const Tensor images = noise({2, 3, 48, 48});
  const at::NoGradGuard no_grad;
  semantics->eval();
  const Tensor before = semantics->forward(images);
  CHECK(semantics->forward(images).equal(before));
  semantics->train();
  CHECK_FALSE(semantics->forward(images).allclose(before));
  const auto after = tensors_of(*semantics);
  CHECK(after.at("layer3.0.bn3.num_batches_tracked").item<int64_t>() == 1);
  CHECK(after.at("layer3.0.bn3.running_mean").abs().max().item<double>() > 0);
  CHECK(after.at("layer4.0.bn3.num_batches_tracked").item<int64_t>() == 0);
}

TEST_CASE("semantics refuse other weights") {
  const StateDict nothing;
  CHECK(contains(error_of([&] { make_semantics({}, nothing); }), "not CLIP's"));
  CHECK(contains(error_of([&] { make_semantics({.source = SemanticsConfig::Source::imagenet}, nothing); }),
                 "lack 'conv1.weight'"));
}

// --- Se-RRDB ---------------------------------------------------------------------------------------

TEST_CASE("Se-RRDB takes any size, learns everywhere and looks at semantics") {
  const auto semantics = small_semantics(4);
  semantics->eval();
  SeRRDBNet network(small_se_rrdb(), semantics);
  network.draw(seeded(5));
  const auto begun = tensors_of(network);
  CHECK(begun.at("body.1.att.proj_out.weight").abs().max().item<double>() == 0);
  CHECK(begun.count("body.3.conv.weight") == 1);
  CHECK(begun.at("body.2.rdb1.conv1.bias").abs().max().item<double>() == 0);
  CHECK(begun.count("conv_up2.weight") == 1);
  CHECK(begun.count("layer1.0.conv1.weight") == 0);
  SeRRDBNet again(small_se_rrdb(), semantics);
  again.draw(seeded(5));
  CHECK(same(network, again));

  const Tensor image = noise({2, 3, 38, 70});
  CHECK(network.forward(image).sizes() == Shape{2, 3, 76, 140});
  draw_normal(network, 0.1, seeded(6));
  const Tensor output = network.forward(image);
  output.square().mean().backward();
  CHECK(output.isfinite().all().item<bool>());
  CHECK(unlearning(network) == std::vector<std::string>{});
  semantics->train();  // other semantics, then
  CHECK_FALSE(network.forward(image).allclose(output));
  CHECK(network.shape().scale == 2);
  CHECK_FALSE(network.shape().receptive_radius);
}

TEST_CASE("Se-RRDB is told by its file, which holds what it looks at") {
  const at::NoGradGuard no_grad;
  auto config = small_se_rrdb();
  config.fused = {1, 3};
  const auto resnet = std::make_shared<ResNet>(std::vector<int64_t>{1, 2, 1, 1}, 4);
  draw_defaults(*resnet, seeded(4));
  for (const Fusion kind : {Fusion::attention, Fusion::concatenation, Fusion::channel, Fusion::spatial}) {
    const bool clip = kind != Fusion::channel;
    const int level = clip ? 3 : 4;
    config.fusion = {
        .kind = kind, .channels = 128, .stride = clip ? 16 : 32, .heads = 1, .head_width = 8, .depth = 2};
    if (!clip) config.rrdb.unshuffle = 4;
    const auto [network, file] =
        se_rrdb_of(config, clip ? std::shared_ptr<SemanticExtractor>(small_semantics(level))
                                : std::make_shared<ResNetSemantics>(resnet, level, 4));
    CHECK(file.count("semantics.layer4.0.conv1.weight") == (clip ? 0 : 1));
    CHECK(file.count("semantics.attnpool.c_proj.weight") == 0);
    CHECK(network_family(file) == "Se-RRDB");
    const auto again = std::dynamic_pointer_cast<SeRRDBNet>(make_network(file));
    REQUIRE(again);
    auto known = config;
    known.rrdb.blocks = config.blocks;
    CHECK((again->config() == known));
    CHECK_FALSE(again->is_training());
    CHECK(same(*again, *network));
    const Tensor image = noise({1, 3, 36, 44});
    CHECK(again->forward(image).equal(network->forward(image)));
  }
}

TEST_CASE("a file of Se-RRDB without what it looks at, or some of it") {
  const auto [network, file] = se_rrdb_of(small_se_rrdb(), small_semantics(4));
  CHECK(contains(error_of([&, own = tensors_of(*network)] { make_network(own); }),
                 "comes without the network whose semantics it looks at"));
  StateDict part = file;
  part.erase("semantics.layer3.0.bn1.bias");
  CHECK(contains(error_of([&] { make_network(part); }), "(semantics.*): the weights do not fit"));
  CHECK(contains(error_of([&] { make_network(part); }), "layer3.0.bn1.bias is missing"));
  part = file;
  std::erase_if(part, [](const auto& entry) { return contains(entry.first, "layer4."); });
  CHECK(contains(error_of([&] { make_network(part); }), "these are 128 at 1/16"));
  part = file;
  std::erase_if(part, [](const auto& entry) { return contains(entry.first, ".rdb"); });
  CHECK(contains(error_of([&] { make_network(part); }), "no RRDB"));
}

TEST_CASE("what Se-RRDB makes of a picture doesn't depend on its neighbours, and little on precision") {
  const at::NoGradGuard no_grad;
  const auto semantics = small_semantics(4);
  REQUIRE(semantics->is_training());  // until Se-RRDB looks at them
  const auto [network, file] = se_rrdb_of(small_se_rrdb(), semantics);
  const Tensor images = noise({3, 3, 40, 70}), one = network->forward(images.slice(0, 0, 1));
  CHECK(network->forward(images).slice(0, 0, 1).allclose(one, 1e-5, 1e-6));
  CHECK(tensors_of(*semantics).at("bn1.num_batches_tracked").item<int64_t>() == 0);
  const auto reduced = make_network(file);
  set_precision(*reduced, at::kBFloat16);
  const Tensor coarse = reduced->forward(images.slice(0, 0, 1));
  CHECK((coarse.scalar_type() == at::kFloat));
  CHECK_FALSE(coarse.equal(one));
  CHECK((coarse - one).abs().max().item<double>() < 0.03 * one.abs().max().item<double>());
  CHECK(network->shape().alignment == 32);
}

TEST_CASE("Se-RRDB refuses semantics and blocks that don't fit") {
  CHECK(contains(error_of([] { SeRRDBNet(small_se_rrdb(), small_semantics(3)); }), "these are 128 at 1/16"));
  auto config = small_se_rrdb();
  config.fused = {2, 5};
  CHECK(contains(error_of([&] { SeRRDBNet(config, small_semantics(4)); }), "none with number 5"));
}

}  // namespace sr::testing
