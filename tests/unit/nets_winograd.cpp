// Winograd's transforms against LibTorch's convolution: outputs and gradients.
#include <torch/csrc/autograd/autograd.h>

#include "core/autocast.h"
#include "core/processor.h"
#include "nets/winograd.h"
#include "nets/winograd_training.h"
#include "nets_testing.h"

namespace sr::testing {
namespace {

struct Case {
  std::int64_t images, in, out, height, width;
  bool activated;
};

/// What a convolution computes, and its gradients, for a loss of fixed factors.
struct Results {
  Tensor output, images, slopes, weight, bias;
};

struct Inputs {
  Tensor images, slopes, weight, bias, factors;

  explicit Inputs(const Case& c) {
    torch::manual_seed(1);
    images = at::randn({c.images, c.in, c.height, c.width}).contiguous(at::MemoryFormat::ChannelsLast);
    if (c.activated) slopes = at::rand({c.in}) - 0.3;
    weight = at::randn({c.out, c.in, 3, 3}) / std::sqrt(9.0 * static_cast<double>(c.in));
    bias = at::randn({c.out});
    factors = at::randn({c.images, c.out, c.height, c.width});
    for (Tensor* tensor : {&images, &slopes, &weight, &bias}) {
      if (tensor->defined()) tensor->requires_grad_(true);
    }
  }

  template <class Convolve>
  Results results(const Convolve& convolve) const {
    for (const Tensor& tensor : {images, slopes, weight, bias}) {
      if (tensor.defined()) tensor.mutable_grad() = Tensor();
    }
    const Tensor output = convolve(*this);
    (output.to(at::kFloat) * factors).sum().backward();
    return {output.detach().to(at::kFloat), images.grad(), slopes.defined() ? slopes.grad() : Tensor(),
            weight.grad(), bias.grad()};
  }
};

double relative_error(const Tensor& given, const Tensor& expected) {
  return ((given - expected).norm() / expected.norm()).item<double>();
}

double largest_error(const Results& given, const Results& expected) {
  double largest = 0;
  for (const auto part :
       {&Results::output, &Results::images, &Results::slopes, &Results::weight, &Results::bias}) {
    if ((expected.*part).defined()) largest = std::max(largest, relative_error(given.*part, expected.*part));
  }
  return largest;
}

Tensor by_libtorch(const Inputs& inputs) {
  const Tensor& x = inputs.images;
  const Tensor active = inputs.slopes.defined() ? at::prelu(x, inputs.slopes) : x;
  return at::convolution(active, inputs.weight, inputs.bias, {1, 1}, {1, 1}, {1, 1}, false, {0, 0}, 1);
}

Tensor by_winograd(const Inputs& inputs) {
  return winograd_conv(inputs.images, inputs.slopes, inputs.weight, inputs.bias);
}

const std::vector<Case> kCases = {{2, 64, 64, 32, 32, true}, {3, 16, 48, 21, 30, true},
                                  {1, 48, 16, 45, 7, false}, {1, 32, 96, 13, 50, false},
                                  {1, 16, 32, 3, 2, true},   {5, 64, 32, 9, 9, true}};

TEST_CASE("Winograd's convolution and gradients equal LibTorch's") {
  for (const Case& c : kCases) {
    CAPTURE(c.in);
    CAPTURE(c.out);
    const Inputs inputs(c);
    CHECK(largest_error(inputs.results(by_winograd), inputs.results(by_libtorch)) < 5e-6);
  }
}

TEST_CASE("under autocast Winograd's convolution answers in bfloat16 and errs by its rounding") {
  for (const Case& c : kCases) {
    CAPTURE(c.in);
    CAPTURE(c.out);
    const Inputs inputs(c);
    const auto half = inputs.results([](const Inputs& in) {
      const Autocast autocast({at::kCPU, at::kBFloat16});
      const Tensor output = by_winograd(in);
      CHECK((output.scalar_type() == at::kBFloat16));
      return output;
    });
    const double error = largest_error(half, inputs.results(by_libtorch));
    const double limit = has_bfloat16() ? 0.02 : 0.006;
    CHECK(error < limit);
    CHECK(error > 1e-4);
  }
}

TEST_CASE("Winograd's gradients are the same each time, whatever is asked for with them") {
  const Inputs inputs(kCases[0]);
  const auto all = inputs.results(by_winograd), again = inputs.results(by_winograd);
  CHECK(at::equal(again.images, all.images));
  CHECK(at::equal(again.weight, all.weight));
  inputs.weight.requires_grad_(false);
  inputs.bias.requires_grad_(false);
  const auto some = inputs.results(by_winograd);
  CHECK(at::equal(some.images, all.images));
  CHECK(at::equal(some.slopes, all.slopes));
  CHECK(!some.weight.defined());
}

TEST_CASE("Winograd's convolution is for layers and images that it can do") {
  const Tensor images = at::zeros({2, 16, 40, 40}), weight = at::zeros({32, 16, 3, 3});
  CHECK(winograd_trains({}, weight, images));
  CHECK_FALSE(winograd_trains({.stride = 2}, weight, images));
  CHECK_FALSE(winograd_trains({}, at::zeros({32, 3, 3, 3}), at::zeros({2, 3, 40, 40})));
  CHECK_FALSE(winograd_trains({}, weight, at::zeros({1, 16, 8, 8})));
  const at::NoGradGuard no_grad;
  CHECK_FALSE(winograd_trains({}, weight, images));
}

TEST_CASE("no number stays none through bfloat16") {
  Inputs inputs(kCases[0]);
  inputs.images.detach()[0][0][5][5] = std::numeric_limits<float>::quiet_NaN();
  const Autocast autocast({at::kCPU, at::kBFloat16});
  CHECK(by_winograd(inputs)[0].isnan().any().item<bool>());
}

}  // namespace
}  // namespace sr::testing
