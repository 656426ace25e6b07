#pragma once
// U+SeD: Real-ESRGAN's U-Net discriminator looking at semantics. Paper: Li et al., "SeD: Semantic-Aware
// Discriminator for Image Super-Resolution", CVPR 2024. Code held against: SeD models/sed.py SeD_U.

#include <array>

#include "nets/unet_disc.h"

namespace sr {

/// Fusion block `att3` stands at the end of the encoder, `att2` and `att1` in the decoder after the
/// additions; `convN1` fuses what they answer, and only conv31 is followed by an activation.
class SeDU : public UNetDiscriminator {
 public:
  explicit SeDU(const DiscriminatorConfig& config);
  Tensor features(const Tensor& image, const Tensor& semantics) override;
  /// As PyTorch begins, the fusion blocks' last projections zero.
  void draw(const at::Generator& generator) override;

 private:
  Tensor fused(size_t level, const Tensor& features, const Tensor& semantics) const override;

  std::array<std::shared_ptr<SemanticFusion>, 3> fusions_;  ///< at 1/2, 1/4, 1/8
  std::array<std::shared_ptr<SpectralConv2d>, 3> fuse_;
};

}  // namespace sr
