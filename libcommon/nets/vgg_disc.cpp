#include "nets/vgg_disc.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"

namespace sr {
namespace {

constexpr int64_t kLastSide = 4, kHiddenWidth = 100;

/// Channels double four times at most: 1, 2, 4, 8, 8, 8 times the width.
int64_t channels(int64_t width, size_t level) { return width << std::min<size_t>(level, 3); }

}  // namespace

Tensor VGGLevel::forward(const Tensor& input, double leaky_slope) const {
  Tensor x = widen->forward(input);
  if (widen_norm) x = widen_norm->forward(x);
  return halve_norm->forward(halve->forward(leaky_relu_in_place(x, leaky_slope)));
}

VGGLevel VGGDiscriminator::make_level(size_t number) {
  const int64_t width = config().width, out = channels(width, number);
  const int64_t in = number == 0 ? config().in_channels : channels(width, number - 1);
  const auto conv = [&](int part, int64_t inputs, const ConvOptions& options) {
    return register_module(fmt::format("conv{}_{}", number, part),
                           std::make_shared<Conv2d>(inputs, out, options));
  };
  const auto norm = [&](int part) {
    return register_module(fmt::format("bn{}_{}", number, part), std::make_shared<BatchNorm>(out));
  };
  VGGLevel level;
  level.widen = conv(0, in, {.bias = number == 0});
  if (number > 0) level.widen_norm = norm(0);
  level.halve = conv(1, out, {.kernel = 4, .stride = 2, .padding = 1, .bias = false});
  level.halve_norm = norm(1);
  return level;
}

VGGDiscriminator::VGGDiscriminator(const DiscriminatorConfig& config) : Discriminator(config) {
  if (config.image_size != 128 && config.image_size != 256) {
    throw Error(fmt::format("the VGG-style discriminator is for images of side 128 or 256, not {}",
                            config.image_size));
  }
  for (int64_t side = config.image_size; side > kLastSide; side /= 2)
    levels_.push_back(make_level(levels_.size()));
  const int64_t features = channels(config.width, levels_.size()) * kLastSide * kLastSide;
  linear1_ = register_module("linear1", std::make_shared<Linear>(features, kHiddenWidth));
  linear2_ = register_module("linear2", std::make_shared<Linear>(kHiddenWidth, 1));
}

void VGGDiscriminator::check_size(const Tensor& image) const {
  const int64_t side = config().image_size;
  if (image.size(2) == side && image.size(3) == side) return;
  throw Error(fmt::format("the VGG-style discriminator takes images of {0}x{0}, not {1}x{2}", side,
                          image.size(3), image.size(2)));
}

int64_t VGGDiscriminator::feature_channels() const { return kHiddenWidth; }

Tensor VGGDiscriminator::hidden(const Tensor& features) const {
  return leaky_relu_in_place(linear1_->forward(features.flatten(1)), leaky_slope);
}

Tensor VGGDiscriminator::features(const Tensor& image, const Tensor&) {
  check_image(image);
  check_size(image);
  Tensor x = image;
  for (const VGGLevel& level : levels_) x = leaky_relu_in_place(level.forward(x, leaky_slope), leaky_slope);
  return hidden(x);
}

}  // namespace sr
