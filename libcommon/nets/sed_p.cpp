#include "nets/sed_p.h"

#include <fmt/format.h>

#include "core/error.h"
#include "nets/draw.h"

namespace sr {
namespace {

constexpr double kDeviation = 0.02;
constexpr int64_t kLeastSide = 24;

ConvOptions four_by_four(int64_t stride) { return {.kernel = 4, .stride = stride, .padding = 1}; }

}  // namespace

SeDP::Stage SeDP::make_stage(int number) {
  const bool last = number == 3;
  const int64_t in = config().width << (number - 1), out = 2 * in;
  Stage stage;
  stage.conv = register_module(fmt::format("conv{}", number),
                               std::make_shared<SpectralConv2d>(in, out, four_by_four(last ? 1 : 2)));
  const FusionPlace place{.channels = out, .stride = number == 1 ? 4 : 8, .one_smaller = last};
  stage.fusion =
      register_module(fmt::format("att{}", number), std::make_shared<SemanticFusion>(config().fusion, place));
  stage.fuse = register_module(fmt::format("conv{}1", number),
                               std::make_shared<SpectralConv2d>(out + stage.fusion->out_channels(), out));
  return stage;
}

SeDP::SeDP(const DiscriminatorConfig& config) : Discriminator(config) {
  const int64_t width = config.width;
  first_ =
      register_module("conv_first", std::make_shared<Conv2d>(config.in_channels, width, four_by_four(2)));
  stages_ = {make_stage(1), make_stage(2), make_stage(3)};
  last_ = register_module("conv_last", std::make_shared<Conv2d>(8 * width, 1, four_by_four(1)));
}

Tensor SeDP::features(const Tensor& image, const Tensor& semantics) {
  check_inputs(image, semantics);
  if (image.size(2) < kLeastSide || image.size(3) < kLeastSide) {
    throw Error(fmt::format("P+SeD takes images of {0}x{0} at least, not {1}x{2}", kLeastSide, image.size(3),
                            image.size(2)));
  }
  Tensor x = leaky_relu_in_place(first_->forward(image), leaky_slope);
  for (const Stage& stage : stages_) {
    x = stage.conv->forward(x);
    x = at::cat({x, stage.fusion->forward(semantics, x)}, 1);
    x = leaky_relu_in_place(stage.fuse->forward(x), leaky_slope);
  }
  return x;
}

void SeDP::draw(const at::Generator& generator) {
  draw_defaults(*this, generator);
  draw_normal(*this, kDeviation, generator);
  zero_biases(*this);
}

}  // namespace sr
