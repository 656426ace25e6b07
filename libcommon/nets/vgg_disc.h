#pragma once
// The VGG-style discriminator of SRGAN and ESRGAN. Paper: Wang et al., "ESRGAN: Enhanced Super-Resolution
// Generative Adversarial Networks", ECCVW 2018. Code held against: BasicSR
// basicsr/archs/discriminator_arch.py VGGStyleDiscriminator.

#include <vector>

#include "nets/batch_norm.h"
#include "nets/discriminator.h"

namespace sr {

/// One level: a convolution that widens and one that halves the sides, `convL_0` and `convL_1`, each with its
/// batch norm `bnL_0`, `bnL_1`, except that the very first has a bias in place of one.
struct VGGLevel {
  std::shared_ptr<Conv2d> widen, halve;
  std::shared_ptr<BatchNorm> widen_norm, halve_norm;  ///< the first level's widen_norm is null

  /// Ends before the activation.
  Tensor forward(const Tensor& input, double leaky_slope) const;
};

/// The levels and the two linear layers, which SeD's variant shares.
class VGGDiscriminator : public Discriminator {
 public:
  /// Throws Error unless the images' side is 128 (five levels) or 256 (six).
  explicit VGGDiscriminator(const DiscriminatorConfig& config);
  /// What the first linear layer makes of the convolutions', [N,100]; scores are [N,1]. Images must be of the
  /// configured size; semantics are not looked at.
  Tensor features(const Tensor& image, const Tensor& semantics) override;
  int64_t feature_channels() const override;

 protected:
  void check_size(const Tensor& image) const;
  /// The convolutions' [N,8 width,4,4] -> [N,100].
  Tensor hidden(const Tensor& features) const;
  Tensor scores(const Tensor& features) override { return linear2_->forward(features); }

  std::vector<VGGLevel> levels_;

 private:
  VGGLevel make_level(size_t number);

  std::shared_ptr<Linear> linear1_, linear2_;
};

}  // namespace sr
