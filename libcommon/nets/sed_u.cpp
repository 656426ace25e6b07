#include "nets/sed_u.h"

#include <fmt/format.h>

namespace sr {

SeDU::SeDU(const DiscriminatorConfig& config) : UNetDiscriminator(config) {
  for (size_t i = 0; i < fusions_.size(); ++i) {
    const int64_t channels = config.width << (i + 1);
    const FusionPlace place{.channels = channels, .stride = int64_t{2} << i};
    fusions_[i] =
        register_module(fmt::format("att{}", i + 1), std::make_shared<SemanticFusion>(config.fusion, place));
    fuse_[i] =
        register_module(fmt::format("conv{}1", i + 1),
                        std::make_shared<SpectralConv2d>(channels + fusions_[i]->out_channels(), channels));
  }
}

Tensor SeDU::fused(size_t level, const Tensor& features, const Tensor& semantics) const {
  const Tensor seen = fusions_[level - 1]->forward(semantics, features);
  return fuse_[level - 1]->forward(at::cat({features, seen}, 1));
}

Tensor SeDU::features(const Tensor& image, const Tensor& semantics) {
  check_inputs(image, semantics);
  return UNetDiscriminator::features(image, semantics);
}

void SeDU::draw(const at::Generator& generator) { draw_with_fusion(*this, generator); }

}  // namespace sr
