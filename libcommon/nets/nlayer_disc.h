#pragma once
// pix2pix's PatchGAN. Paper: Isola et al., "Image-to-Image Translation with Conditional Adversarial
// Networks", CVPR 2017. Code held against: pix2pix models/networks.py NLayerDiscriminator, and its copy in
// taming-transformers taming/modules/discriminator/model.py.

#include <vector>

#include "nets/batch_norm.h"
#include "nets/discriminator.h"
#include "weights/state_dict.h"

namespace sr {

/// Convolutions and batch norms `model.N`, numbered with the activations between them.
class NLayerDiscriminator : public Discriminator {
 public:
  explicit NLayerDiscriminator(const DiscriminatorConfig& config);
  /// Sides must be 3 * 2^layers at least; semantics are not looked at.
  Tensor features(const Tensor& image, const Tensor& semantics) override;
  int64_t feature_channels() const override;
  /// Weights normal with deviation 0.02, biases 0, as pix2pix has it.
  void draw(const at::Generator& generator) override;

 protected:
  Tensor scores(const Tensor& features) override { return stages_.back().conv->forward(features); }

 private:
  struct Stage {
    std::shared_ptr<Conv2d> conv;
    std::shared_ptr<BatchNorm> norm;  ///< null in the first and the last
  };

  std::vector<Stage> stages_;
};

/// pix2pix's names for those of taming-transformers' copy (`main.` in place of `model.`).
StateDict nlayer_keys(const StateDict& weights);

}  // namespace sr
