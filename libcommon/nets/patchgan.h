#pragma once
// KAIR's PatchGAN. Paper: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks",
// CVPR 2017. Code held against: KAIR models/network_discriminator.py Discriminator_PatchGAN, which unlike
// pix2pix pads by 2, keeps biases before its norms and goes to 512 channels at most, whatever the width.

#include <vector>

#include "nets/batch_norm.h"
#include "nets/discriminator.h"
#include "nets/spectral_conv.h"

namespace sr {

/// Convolutions `model.childN.0`, norms `model.childN.1`; all but the first and the last are normalised.
class PatchGAN : public Discriminator {
 public:
  explicit PatchGAN(const DiscriminatorConfig& config);
  /// Of images of any size; semantics are not looked at.
  Tensor features(const Tensor& image, const Tensor& semantics) override;
  int64_t feature_channels() const override { return feature_channels_; }
  /// Weights normal with deviation 0.02, as KAIR has it.
  void draw(const at::Generator& generator) override;

 protected:
  Tensor scores(const Tensor& features) override { return stages_.back().forward(features); }

 private:
  struct Stage {
    std::shared_ptr<Conv2d> conv;              ///< one of the two
    std::shared_ptr<SpectralConv2d> spectral;  ///< is null
    std::shared_ptr<BatchNorm> batch;          ///< may be null
    bool instance = false;

    Tensor forward(const Tensor& input) const;
  };

  Stage make_stage(torch::nn::Module& parent, int64_t in, int64_t out, int64_t stride, bool normalised);

  std::vector<Stage> stages_;
  int64_t feature_channels_ = 0;
};

}  // namespace sr
