// Precision, layout, gradients, receptive fields and counts of the networks; their values are the goldens'
// business.
#include <array>
#include <functional>
#include <map>
#include <random>
#include <regex>

#include "nets/fill_module.h"
#include "nets_testing.h"

namespace sr::testing {
namespace {

using Factory = std::function<std::shared_ptr<Network>()>;

RRDBNetConfig small_rrdbnet(int64_t scale) {
  auto config = RRDBNetConfig::basicsr(scale);
  config.features = 4;
  config.growth = 2;
  config.blocks = 1;
  return config;
}

SwinIRConfig small_swinir() {
  SwinIRConfig config;
  config.embedding = 12;
  config.depths = {3};
  config.heads = {2};
  config.window = 4;
  config.mlp_ratio = 2;
  config.scale = 4;
  config.upsampler = SwinIRConfig::Upsampler::nearest_conv;
  return config;
}

NAFNetConfig small_nafnet(bool local) {
  NAFNetConfig config;
  config.width = 8;
  config.encoder_blocks = config.decoder_blocks = {1, 1};
  if (local) config.local = NAFNetConfig::Local{{16, 16}, false};
  return config;
}

template <class Net, class Config>
Factory small(Config config) {
  return [config] {
    auto network = std::make_shared<Net>(config);
    randomise(*network);
    network->eval();
    return network;
  };
}

std::map<std::string, Factory> small_networks() {
  const SRVGGConfig srvgg{.features = 8, .convs = 3};
  const MSRResNetConfig msrresnet{.features = 8, .blocks = 2, .scale = 3};
  EDSRConfig edsr;
  edsr.features = 8;
  edsr.blocks = 2;
  return {{"RRDBNet x4", small<RRDBNet>(small_rrdbnet(4))},
          {"RRDBNet x2", small<RRDBNet>(small_rrdbnet(2))},
          {"RRDBNet x1", small<RRDBNet>(small_rrdbnet(1))},
          {"SRVGGNetCompact", small<SRVGGNetCompact>(srvgg)},
          {"EDSR", small<EDSR>(edsr)},
          {"MSRResNet", small<MSRResNet>(msrresnet)},
          {"SwinIR", small<SwinIR>(small_swinir())},
          {"NAFNet", small<NAFNet>(small_nafnet(false))},
          {"NAFNetLocal", small<NAFNet>(small_nafnet(true))}};
}

Tensor noise(const Network& network, int64_t side) {
  at::manual_seed(2);
  return torch::rand({1, network.shape().in_channels, side, side});
}

double decibels(const Tensor& actual, const Tensor& expected) {
  return -10 * std::log10(((actual - expected).pow(2).mean() / expected.var()).item<double>());
}

/// Farthest input pixel, along an axis, that any output pixel of the block under one grid cell depends on.
int64_t measured_radius(Network& network, int64_t side) {
  const NetworkShape shape = network.shape();
  const Tensor input = noise(network, side).to(at::kDouble).requires_grad_(true);
  const Tensor output = network.forward(input);
  const int64_t centre = side / 2 / shape.alignment * shape.alignment;
  int64_t radius = 0;
  for (int64_t place = 0; place < shape.scale * shape.alignment; ++place) {
    const int64_t output_place = centre * shape.scale + place, self = output_place / shape.scale;
    input.mutable_grad() = Tensor();
    output.select(2, output_place).select(2, output_place).sum().backward({}, /*retain_graph=*/true);
    const Tensor seen = input.grad().abs().sum(at::IntArrayRef{0, 1}).nonzero();
    radius = std::max(radius, (seen - self).abs().max().item<int64_t>());
  }
  return radius;
}

}  // namespace

TEST_CASE("bfloat16 weights: answers stay float32, channels-last and close") {
  const at::NoGradGuard no_grad;
  for (const auto& [name, make] : small_networks()) {
    CAPTURE(name);
    const auto network = make();
    const Tensor input = noise(*network, 32).contiguous(at::MemoryFormat::ChannelsLast);
    const Tensor expected = network->forward(input);
    set_precision(*network, at::kBFloat16);
    const Tensor output = network->forward(input);
    CHECK((output.scalar_type() == at::kFloat));
    CHECK(output.is_contiguous(at::MemoryFormat::ChannelsLast));
    CHECK(decibels(output, expected) > 40);
    set_precision(*network, at::kFloat);
    CHECK((network->forward(input).scalar_type() == at::kFloat));
  }
}

TEST_CASE("the receptive radius is exact, for windows an upper bound") {
  for (const auto& [name, make] : small_networks()) {
    CAPTURE(name);
    const auto network = make();
    const NetworkShape shape = network->shape();
    if (!shape.receptive_radius) continue;
    for (auto& parameter : network->parameters()) parameter.requires_grad_(false);
    network->to(at::kDouble);  // Winograd's transforms of float32 spread gradients over tiles, by rounding
    const int64_t side = (2 * *shape.receptive_radius / 8 + 2) * 8;
    const int64_t measured = measured_radius(*network, side);
    if (shape.convolutional) CHECK(measured == *shape.receptive_radius);
    CHECK(measured <= *shape.receptive_radius);
  }
}

TEST_CASE("every parameter gets a gradient in training") {
  for (const auto& [name, make] : small_networks()) {
    CAPTURE(name);
    const auto network = make();
    network->train();
    network->forward(noise(*network, 32)).pow(2).mean().backward();
    for (const auto& parameter : network->named_parameters()) {
      CAPTURE(parameter.key());
      CHECK(parameter.value().grad().defined());
    }
  }
}

TEST_CASE("published receptive fields and costs") {
  const RRDBNet rrdbnet(RRDBNetConfig{});
  CHECK(rrdbnet.shape().receptive_radius.value() == 23 * 15 + 4);
  SRVGGNetCompact srvgg(SRVGGConfig{});
  CHECK(srvgg.shape().receptive_radius.value() == 18);
  const int64_t inner = 16 * 64 * 64 * 9, ends = 3 * 64 * 9 + 64 * 48 * 9;
  CHECK(count_multiply_adds(srvgg, 10, 12) == (inner + ends) * 120);
  CHECK(count_parameters(srvgg) == 621424);
}

TEST_CASE("multiply-adds: linear layers and attention, grouped and strided convolutions") {
  SwinIRConfig config = small_swinir();
  config.depths = {1};
  config.upsampler = SwinIRConfig::Upsampler::none;
  SwinIR swinir(config);
  const int64_t linear = 12 * 36 + 12 * 12 + 2 * 12 * 24, attention = 2 * 16 * 12;
  const int64_t convs = 9 * (3 * 12 + 2 * 12 * 12 + 12 * 3);
  CHECK(count_multiply_adds(swinir, 8, 16) == (linear + attention + convs) * 128);
  NAFNetConfig naf;
  naf.width = 4;
  naf.middle_blocks = 0;
  naf.encoder_blocks = {0};
  naf.decoder_blocks = {1};
  NAFNet nafnet(naf);
  const int64_t block = 4 * 8 + 8 * 9 + 4 * 4 + 4 * 8 + 4 * 4, around = 2 * 3 * 4 * 9 + 4 * 8 + 8 * 16 / 4;
  CHECK(count_multiply_adds(nafnet, 8, 8) == (block + around) * 64 + 16);
}

TEST_CASE("SwinIR takes images smaller than its windows") {
  const at::NoGradGuard no_grad;
  SwinIR network(small_swinir());
  randomise(network);
  network.eval();
  for (const auto& size : {std::array<int64_t, 2>{1, 1}, {1, 7}, {2, 3}}) {
    const Tensor output = network.forward(torch::rand({1, 3, size[0], size[1]}));
    CHECK(output.sizes().equals({1, 3, 4 * size[0], 4 * size[1]}));
  }
}

TEST_CASE("local pooling: window means, the nearest whole window at the border") {
  at::manual_seed(3);
  const Tensor image = torch::rand({2, 3, 11, 14});
  const PoolWindow window{.size = {4, 5}, .stride_limit = {1, 1}};
  const Tensor inner = at::avg_pool2d(image, {4, 5}, 1);
  const Tensor expected = at::replication_pad2d(inner, {2, 2, 1, 2});
  CHECK((local_mean(image, window) - expected).abs().max().item<double>() < 1e-6);
  const PoolWindow wide{.size = {4, 20}, .stride_limit = {1, 1}};
  CHECK((local_mean(image, wide) - at::replication_pad2d(at::avg_pool2d(image, {4, 14}, 1), {6, 7, 1, 2}))
            .abs()
            .max()
            .item<double>() < 1e-6);
  const PoolWindow all{.size = {11, 14}, .stride_limit = {1, 1}};
  CHECK((local_mean(image, all) - image.mean({2, 3}, true)).abs().max().item<double>() < 1e-6);
}

TEST_CASE("local pooling, fast form: as the official difference of cumulated samples") {
  at::manual_seed(4);
  const Tensor image = torch::rand({1, 2, 12, 15});
  const PoolWindow window{.size = {6, 8}, .stride_limit = {3, 5}, .fast = true};
  const Tensor sums = image.slice(2, 0, 12, 3).slice(3, 0, 15, 5).cumsum(-1).cumsum(-2);  // 4 x 3
  const auto part = [&sums](int64_t row, int64_t column) {
    return sums.narrow(2, row, 2).narrow(3, column, 2);
  };
  const Tensor means = (part(0, 0) - part(0, 1) - part(2, 0) + part(2, 1)) / 2;
  const Tensor expected = at::replication_pad2d(at::upsample_nearest2d(means, {6, 10}), {2, 3, 3, 3});
  CHECK((local_mean(image, window) - expected).abs().max().item<double>() < 1e-5);
}

TEST_CASE("half-precision checkpoints become float32") {
  SRVGGNetCompact network(SRVGGConfig{.features = 8, .convs = 1});
  randomise(network);
  StateDict weights;
  for (const auto& parameter : network.named_parameters()) {
    weights[parameter.key()] = parameter.value().detach().to(at::kHalf);
  }
  const auto loaded = make_network(weights);
  for (const auto& parameter : loaded->named_parameters()) {
    CHECK((parameter.value().scalar_type() == at::kFloat));
    CHECK_FALSE(parameter.value().requires_grad());
    CHECK(at::equal(parameter.value(), weights.at(parameter.key()).to(at::kFloat)));
  }
}

TEST_CASE("RRDBNet refuses sides that its unshuffle does not divide") {
  const auto network = small_networks().at("RRDBNet x2")();
  CHECK_THROWS_AS(network->forward(torch::rand({1, 3, 8, 7})), Error);
}

namespace {

/// One tensor has another size, or another number in its name.
StateDict altered(StateDict weights, std::mt19937& random) {
  const auto entry = std::next(weights.begin(), static_cast<long>(random() % weights.size()));
  auto [key, tensor] = *entry;
  if (random() % 2 == 0) {
    static const std::regex number("[0-9]+");
    constexpr std::array numbers{"0", "1", "3", "40", "1000000000000", "9223372036854775807"};
    weights.erase(entry);
    weights[std::regex_replace(key, number, numbers[random() % numbers.size()])] = tensor;
  } else {
    auto sizes = tensor.sizes().vec();
    sizes[random() % sizes.size()] = static_cast<int64_t>(random() % 20);
    entry->second = torch::zeros(sizes);
  }
  return weights;
}

}  // namespace

TEST_CASE("networks of damaged files are errors, or are made") {
  std::mt19937 random(3);
  for (const auto& [name, make] : small_networks()) {
    CAPTURE(name);
    const StateDict sound = tensors_of(*make());
    for (int round = 0; round < 200; ++round) {
      const StateDict weights = altered(sound, random);
      try {
        if (network_family(weights)) make_network(weights);
      } catch (const Error&) {
        // as it should be
      } catch (const std::exception& other) {
        FAIL_CHECK(other.what());
      }
    }
  }
}

}  // namespace sr::testing
