// Fused networks against the modules they are made from.

#include "infer/fused_net.h"

#include <array>
#include <cmath>
#include <doctest.h>
#include <limits>

#include "infer/amx_conv.h"
#include "nets/rrdbnet.h"
#include "nets/srvgg.h"

namespace {

using namespace sr;

void draw_weights(Network& network) {
  const at::NoGradGuard no_grad;
  torch::manual_seed(7);
  for (auto& parameter : network.named_parameters()) {
    Tensor& values = *parameter;
    if (values.dim() == 4)
      values.normal_(0, 1 / std::sqrt(9.0 * values.size(1)));
    else
      values.uniform_(-0.1, 0.3);  // biases, and PReLU's slopes
  }
}

/// dB of the reference's deviation over the difference.
double signal_to_noise(const Tensor& reference, const Tensor& result) {
  const auto power = [](const Tensor& t) { return t.to(at::kDouble).pow(2).mean().item<double>(); };
  return 10 * std::log10(power(reference - reference.mean()) / power(result - reference));
}

/// bf16 keeps 8 bits of every value: some 45 dB after a few layers.
void check_fused(Network& network, std::initializer_list<std::array<int64_t, 2>> sizes) {
  const at::NoGradGuard no_grad;
  draw_weights(network);
  const auto fused = fuse(network);
  REQUIRE(fused);
  const int64_t channels = network.shape().in_channels;
  for (const auto& [height, width] : sizes) {
    CAPTURE(height);
    CAPTURE(width);
    const Tensor input = at::rand({2, channels, height, width});
    const Tensor expected = network.forward(input), result = fused->forward(input);
    REQUIRE(bool(result.sizes() == expected.sizes()));
    CHECK(bool(result.dtype() == at::kFloat));
    CHECK(signal_to_noise(expected, result) > 33);
  }
}

bool skipped() {
  if (!amx::available()) MESSAGE("no AMX here: skipped");
  return !amx::available();
}

}  // namespace

TEST_CASE("fused SRVGG equals the module") {
  if (skipped()) return;
  for (const int64_t scale : {1, 2, 3, 4})
    for (const int64_t convs : {0, 3, 5}) {
      SRVGGNetCompact network({.convs = convs, .scale = scale});
      check_fused(network, {{9, 21}, {40, 33}, {9, 21}, {16, 1}});
    }
}

TEST_CASE("fused SRVGG has every activation, channel count and width") {
  if (skipped()) return;
  using Activation = SRVGGConfig::Activation;
  for (const Activation activation : {Activation::relu, Activation::leaky_relu}) {
    SRVGGNetCompact network({.convs = 2, .activation = activation});
    check_fused(network, {{24, 40}});
  }
  SRVGGNetCompact grey({.in_channels = 1, .out_channels = 1, .features = 24, .convs = 2, .scale = 2});
  check_fused(grey, {{24, 40}});
}

TEST_CASE("fused RRDBNet equals the module") {
  if (skipped()) return;
  for (const int64_t scale : {1, 2, 4}) {
    RRDBNetConfig config = RRDBNetConfig::basicsr(scale);
    config.blocks = 2;
    RRDBNet network(config);
    check_fused(network, {{20, 12}, {72, 68}, {4, 4}, {20, 12}});
  }
}

TEST_CASE("fused RRDBNet has other upsamplings and widths") {
  if (skipped()) return;
  using Upsampling = RRDBNetConfig::Upsampling;
  RRDBNet twofold({.features = 32, .blocks = 1, .growth = 16, .enlargements = {2}});
  check_fused(twofold, {{37, 18}});
  RRDBNet shuffled({.blocks = 1, .enlargements = {3}, .upsampling = Upsampling::pixel_shuffle});
  check_fused(shuffled, {{37, 18}});
  RRDBNet transposed({.blocks = 1, .upsampling = Upsampling::transposed});
  CHECK_FALSE(fuse(transposed));
}

TEST_CASE("threads don't change a fused result") {
  if (skipped()) return;
  const at::NoGradGuard no_grad;
  RRDBNet network({.blocks = 1});
  draw_weights(network);
  const auto fused = fuse(network);
  const int threads = at::get_num_threads();
  const Tensor input = at::rand({1, 3, 71, 30});
  at::set_num_threads(1);
  const Tensor one = fused->forward(input);
  at::set_num_threads(3);
  const Tensor three = fused->forward(input);
  at::set_num_threads(threads);
  CHECK(at::equal(one, three));
}

TEST_CASE("NaN in the input shows in a fused network's output") {
  if (skipped()) return;
  const at::NoGradGuard no_grad;
  SRVGGNetCompact network({.convs = 2});
  draw_weights(network);
  Tensor input = at::rand({1, 3, 20, 20});
  input[0][1][10][10] = std::numeric_limits<float>::quiet_NaN();
  const auto fused = fuse(network);
  CHECK(fused->forward(input).isnan().any().item<bool>());
  CHECK_FALSE(fused->forward(at::rand({1, 3, 20, 20})).isnan().any().item<bool>());
}
