#include "nets/sed_v.h"

#include <fmt/format.h>

namespace sr {

Tensor SeDV::Fused::forward(const Tensor& features, const Tensor& semantics) const {
  return norm->forward(conv->forward(at::cat({features, fusion->forward(semantics, features)}, 1)));
}

SeDV::SeDV(const DiscriminatorConfig& config) : VGGDiscriminator(config) {
  for (size_t i = 0; i < fused_.size(); ++i) {
    const int64_t channels = config.width << (i + 1);
    auto& [fusion, conv, norm] = fused_[i];
    const FusionPlace place{.channels = channels, .stride = int64_t{4} << i};
    fusion =
        register_module(fmt::format("att{}", i + 1), std::make_shared<SemanticFusion>(config.fusion, place));
    conv = register_module(
        fmt::format("conv{}1", i + 1),
        std::make_shared<Conv2d>(channels + fusion->out_channels(), channels, ConvOptions{.bias = false}));
    norm = register_module(fmt::format("bn{}1", i + 1), std::make_shared<BatchNorm>(channels));
  }
}

Tensor SeDV::features(const Tensor& image, const Tensor& semantics) {
  check_inputs(image, semantics);
  check_size(image);
  Tensor x = image;
  for (size_t level = 0; level < levels_.size(); ++level) {
    x = levels_[level].forward(x, leaky_slope);
    if (level >= 1 && level <= fused_.size()) x = fused_[level - 1].forward(x, semantics);
    x = leaky_relu_in_place(x, leaky_slope);
  }
  return hidden(x);
}

void SeDV::draw(const at::Generator& generator) { draw_with_fusion(*this, generator); }

}  // namespace sr
