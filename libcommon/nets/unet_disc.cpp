#include "nets/unet_disc.h"

#include <fmt/format.h>

#include "core/error.h"

namespace sr {
namespace {

constexpr size_t kLevels = 3;
constexpr int64_t kSidesDivideBy = 1 << kLevels;

Tensor doubled(const Tensor& x) {
  return at::upsample_bilinear2d(x, {2 * x.size(2), 2 * x.size(3)}, /*align_corners=*/false);
}

}  // namespace

UNetDiscriminator::UNetDiscriminator(const DiscriminatorConfig& config) : Discriminator(config) {
  const int64_t width = config.width;
  const ConvOptions halving{.kernel = 4, .stride = 2, .padding = 1, .bias = false}, keeping{.bias = false};
  const auto spectral = [&](size_t number, int64_t in, int64_t out, const ConvOptions& options) {
    return register_module(fmt::format("conv{}", number), std::make_shared<SpectralConv2d>(in, out, options));
  };
  first_ = register_module("conv0", std::make_shared<Conv2d>(config.in_channels, width));
  for (size_t i = 0; i < kLevels; ++i) {
    down_[i] = spectral(1 + i, width << i, width << (i + 1), halving);
    up_[i] = spectral(4 + i, width << (kLevels - i), width << (kLevels - 1 - i), keeping);
  }
  extra_ = {spectral(7, width, width, keeping), spectral(8, width, width, keeping)};
  last_ = register_module("conv9", std::make_shared<Conv2d>(width, 1));
}

Tensor UNetDiscriminator::fused(size_t, const Tensor& features, const Tensor&) const { return features; }

Tensor UNetDiscriminator::features(const Tensor& image, const Tensor& semantics) {
  check_image(image);
  if (image.size(2) % kSidesDivideBy != 0 || image.size(3) % kSidesDivideBy != 0) {
    throw Error(fmt::format("the U-Net discriminator takes images whose sides divide by {}, not {}x{}",
                            kSidesDivideBy, image.size(3), image.size(2)));
  }
  Tensor x = leaky_relu_in_place(first_->forward(image), leaky_slope);
  std::array<Tensor, kLevels> finer;
  for (size_t i = 0; i < kLevels; ++i) {
    finer[i] = x;
    x = down_[i]->forward(x);
    if (i + 1 == kLevels) x = fused(kLevels, x, semantics);
    x = leaky_relu_in_place(x, leaky_slope);
  }
  for (size_t level = kLevels; level-- > 0;) {
    x = leaky_relu_in_place(up_[kLevels - 1 - level]->forward(doubled(x)), leaky_slope);
    if (config().skips) x = x + finer[level];
    if (level > 0) x = fused(level, x, semantics);
  }
  for (const auto& conv : extra_) x = leaky_relu_in_place(conv->forward(x), leaky_slope);
  return x;
}

}  // namespace sr
