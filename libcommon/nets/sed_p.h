#pragma once
// P+SeD: a PatchGAN that looks at semantics. Paper: Li et al., "SeD: Semantic-Aware Discriminator for Image
// Super-Resolution", CVPR 2024, Fig. 2d. Code held against: SeD models/sed.py SeD_P.

#include <array>

#include "nets/discriminator.h"
#include "nets/spectral_conv.h"

namespace sr {

/// `conv_first` halves the sides; `conv1`, `conv2` halve them again, `conv3` takes a pixel off; each is
/// followed by its fusion block `attN`, whose semantics are concatenated and fused by `convN1`; `conv_last`
/// answers. Blocks fit features of 2, 4, 8 times the width (officially 128, 256, 512, whatever the width).
class SeDP : public Discriminator {
 public:
  explicit SeDP(const DiscriminatorConfig& config);
  /// Of [N,8 width,H/8-1,W/8-1]; scores are [N,1,H/8-2,W/8-2]. Sides must be 24 at least.
  Tensor features(const Tensor& image, const Tensor& semantics) override;
  int64_t feature_channels() const override { return 8 * config().width; }
  /// Weights normal with deviation 0.02, biases 0: also the fusion blocks' last projections.
  void draw(const at::Generator& generator) override;

 protected:
  Tensor scores(const Tensor& features) override { return last_->forward(features); }

 private:
  struct Stage {
    std::shared_ptr<SpectralConv2d> conv, fuse;
    std::shared_ptr<SemanticFusion> fusion;
  };

  Stage make_stage(int number);

  std::shared_ptr<Conv2d> first_, last_;
  std::array<Stage, 3> stages_;
};

}  // namespace sr
