#include "infer/engine.h"

#include "core/error.h"
#include "infer/upscaled_rows.h"
#include "limited_memory.h"
#include "nets/edsr.h"
#include "nets/nafnet.h"
#include "nets/rrdbnet.h"
#include "nets/srvgg.h"
// after the headers of LibTorch, whose glog has a CHECK too
#include <doctest.h>

namespace {

sr::StateDict random_weights(const sr::Network& network, double size = 0.1) {
  torch::manual_seed(3);
  sr::StateDict weights;
  for (const auto& parameter : network.named_parameters()) {
    weights[parameter.key()] = (torch::rand(parameter.value().sizes()) - 0.5) * 2 * size;
  }
  return weights;
}

sr::StateDict small_srvgg() {
  sr::SRVGGConfig config;
  config.features = 8;
  config.convs = 2;
  config.scale = 2;
  return random_weights(sr::SRVGGNetCompact(config));
}

sr::EngineOptions fp32() { return {at::kCPU, sr::Precision::fp32, 2, false}; }

/// A whole picture, handed out in strips of a few rows.
class TensorRows final : public sr::RowSource {
 public:
  explicit TensorRows(sr::Tensor picture) : picture_(std::move(picture)) {}
  int width() const override { return static_cast<int>(picture_.size(2)); }
  int height() const override { return static_cast<int>(picture_.size(1)); }
  int planes() const override { return static_cast<int>(picture_.size(0)); }
  sr::Tensor next() override {
    const auto rows = picture_.slice(1, top_, std::min<int64_t>(top_ + 5, height()));
    top_ += 5;
    return rows;
  }

 private:
  sr::Tensor picture_;
  int64_t top_ = 0;
};

sr::Tensor upscale(sr::Engine& engine, const sr::Tensor& picture, int tile) {
  sr::RowWindow window(sr::upscale_rows(std::make_unique<TensorRows>(picture), engine, {tile, -1, false}));
  return window.rows(0, window.source().height());
}

double largest_difference(const sr::Tensor& a, const sr::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace

TEST_CASE("tiled equals whole for convolutional networks, with and without alpha") {
  sr::Log log("test");
  sr::RRDBNetConfig rrdb = sr::RRDBNetConfig::basicsr(2);
  rrdb.features = 8;
  rrdb.growth = 4;
  rrdb.blocks = 1;
  sr::EDSRConfig edsr;
  edsr.features = 8;
  edsr.blocks = 2;
  for (const auto& weights :
       {small_srvgg(), random_weights(sr::RRDBNet(rrdb)), random_weights(sr::EDSR(edsr))}) {
    sr::Engine engine(weights, fp32(), log);
    for (const int planes : {1, 2, 3, 4}) {
      const auto picture = torch::rand({planes, 61, 83});
      const auto whole = upscale(engine, picture, 0);
      CHECK(whole.size(2) == 83 * engine.shape().scale);
      CHECK(largest_difference(upscale(engine, picture, 24), whole) < 1e-4);
      CHECK(largest_difference(upscale(engine, picture, -1), whole) < 1e-4);
    }
  }
}

TEST_CASE("networks that look at everything are mixed without a step") {
  sr::Log log("test");
  sr::NAFNetConfig config;
  config.width = 8;
  config.encoder_blocks = {1, 1};
  config.decoder_blocks = {1, 1};
  sr::Engine engine(random_weights(sr::NAFNet(config), 0.5), fp32(), log);
  const auto ramp = torch::linspace(0, 1, 120).expand({3, 100, 120}).contiguous();
  // each tile pools over itself, so it differs from the whole; mixed, the change is spread over the band
  const auto change = upscale(engine, ramp, 40) - upscale(engine, ramp, 0);
  CHECK(change.abs().max().item<double>() > 1e-6);
  CHECK(largest_difference(change.slice(2, 1), change.slice(2, 0, -1)) < 2e-3);
  CHECK(largest_difference(change.slice(1, 1), change.slice(1, 0, -1)) < 2e-3);
}

TEST_CASE("any number of channels, any small size") {
  sr::Log log("test");
  sr::Engine engine(small_srvgg(), fp32(), log);
  for (const auto& [height, width] : {std::pair{1, 1}, std::pair{1, 9}, std::pair{5, 2}}) {
    CHECK(upscale(engine, torch::rand({1, height, width}), -1).size(1) == 2 * height);
    CHECK(upscale(engine, torch::rand({4, height, width}), -1).size(2) == 2 * width);
  }
}

TEST_CASE("what is not finite is made again in float32, or fails") {
  sr::Log log("test");
  log.set_verbosity(sr::Verbosity::quiet);
  auto weights = small_srvgg();
  sr::Engine engine(weights, {at::kCPU, sr::Precision::bf16, 2, false}, log);
  auto picture = torch::rand({3, 8, 8});
  picture[0][4][4] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS(upscale(engine, picture, -1), "the network's result is not finite, even in float32",
                       sr::Error);
  weights.begin()->second.fill_(std::numeric_limits<float>::infinity());
  sr::Engine broken(weights, fp32(), log);
  CHECK_THROWS_AS(upscale(broken, torch::rand({3, 8, 8}), -1), sr::Error);
}

TEST_CASE("where memory runs out the tile is halved") {
  sr::Log log("test");
  log.set_verbosity(sr::Verbosity::quiet);
  sr::SRVGGConfig config;
  config.scale = 1;
  config.convs = 2;
  sr::Engine engine(random_weights(sr::SRVGGNetCompact(config)), fp32(), log);
  const auto picture = torch::rand({3, 1000, 1000});
  const auto whole = upscale(engine, picture, 200);
  sr::Tensor halved;
  {
    const sr::testing::LimitedMemory limited(300'000'000);  // a plane of 64 features is 256 MB
    halved = upscale(engine, picture, 0);
  }
  CHECK(largest_difference(halved, whole) < 1e-4);
}

TEST_CASE("eight turns") {
  sr::Log log("test");
  const auto weights = small_srvgg();
  sr::Engine plain(weights, fp32(), log);
  auto options = fp32();
  options.tta = true;
  sr::Engine turned(weights, options, log);
  const auto picture = torch::rand({3, 12, 20});
  const auto mean = upscale(turned, picture, 0);
  CHECK(mean.sizes() == upscale(plain, picture, 0).sizes());
  // turning the input turns the mean, which the network alone does not do
  CHECK(largest_difference(upscale(turned, at::rot90(picture, 1, {1, 2}), 0), at::rot90(mean, 1, {1, 2})) <
        1e-5);
}
