#pragma once
// The U-Net discriminator of Real-ESRGAN. Paper: Wang et al., "Real-ESRGAN: Training Real-World Blind
// Super-Resolution with Pure Synthetic Data", ICCVW 2021. Code held against: Real-ESRGAN
// realesrgan/archs/discriminator_arch.py UNetDiscriminatorSN.

#include <array>

#include "nets/discriminator.h"
#include "nets/spectral_conv.h"

namespace sr {

/// Convolutions `conv0` ... `conv9`: three that halve the sides, three after bilinear doublings, three at
/// full size; all but the first and the last under spectral norm, without bias.
class UNetDiscriminator : public Discriminator {
 public:
  explicit UNetDiscriminator(const DiscriminatorConfig& config);
  /// Of [N,width,H,W], as scores are. Sides must divide by 8; semantics are not looked at.
  Tensor features(const Tensor& image, const Tensor& semantics) override;
  int64_t feature_channels() const override { return config().width; }

 protected:
  /// What a variant makes of features at 1/2^level of the image's side, which are conv3's before its
  /// activation (level 3), or the decoder's before they are doubled (2, 1). Here: nothing.
  virtual Tensor fused(size_t level, const Tensor& features, const Tensor& semantics) const;
  Tensor scores(const Tensor& features) override { return last_->forward(features); }

 private:
  std::shared_ptr<Conv2d> first_, last_;
  std::array<std::shared_ptr<SpectralConv2d>, 3> down_, up_;  ///< conv1 ... conv3, conv4 ... conv6
  std::array<std::shared_ptr<SpectralConv2d>, 2> extra_;      ///< conv7, conv8
};

}  // namespace sr
