#pragma once
// V+SeD: the VGG-style discriminator looking at semantics. Paper: Li et al., "SeD: Semantic-Aware
// Discriminator for Image Super-Resolution", CVPR 2024, Fig. 6. No official code is published; what the paper
// leaves open is settled here after P+SeD:
//   fusion blocks `att1`, `att2`, `att3` stand where features have 2, 4, 8 times the width, as in P+SeD:
//   after conv1_1, conv2_1, conv3_1 and their batch norms (1/4, 1/8, 1/16 of the image's side), before the
//   activation;
//   a 3x3 convolution `convN1` fuses features and semantics, followed by the activation. It has a batch norm
//   `bnN1` and no bias, as this network's convolutions have, in place of P+SeD's spectral norm;
//   weights begin as PyTorch's (so do the VGG-style network's), the fusion blocks' last projections at zero.

#include <array>

#include "nets/vgg_disc.h"

namespace sr {

class SeDV : public VGGDiscriminator {
 public:
  explicit SeDV(const DiscriminatorConfig& config);
  Tensor features(const Tensor& image, const Tensor& semantics) override;
  void draw(const at::Generator& generator) override;

 private:
  struct Fused {
    std::shared_ptr<SemanticFusion> fusion;
    std::shared_ptr<Conv2d> conv;
    std::shared_ptr<BatchNorm> norm;

    Tensor forward(const Tensor& features, const Tensor& semantics) const;
  };

  std::array<Fused, 3> fused_;  ///< after the levels 1, 2, 3
};

}  // namespace sr
