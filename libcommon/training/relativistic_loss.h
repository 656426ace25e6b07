#pragma once
// ESRGAN's adversarial loss: how much more real than the average image of the other kind.
// Paper: Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", ECCVW 2018, Sec.
// 3.2; Jolicoeur-Martineau, "The relativistic discriminator", ICLR 2019. Source: BasicSR
// basicsr/models/esrgan_model.py (@8d56e3a), KAIR models/model_gan.py (@fc1732f).
//
// The discriminator's two halves are for two backward passes, its second forward pass on fakes after the
// first half's (each pass moves its spectral norms and statistics); a sum of both is the same gradient.

#include "training/gan_loss.h"

namespace sr {

struct RelativisticLoss {
  enum class Mean {
    everything,  ///< over all answers: BasicSR
    batch,       ///< over the images only, place by place: KAIR
  };

  GanLoss gan;
  Mean mean = Mean::everything;

  /// The mean of both directions. No gradient reaches `real`.
  Tensor generator(const Tensor& real, const Tensor& fake) const;
  /// One half each; gradients reach the first argument only.
  Tensor discriminator_real(const Tensor& real, const Tensor& fake) const;
  Tensor discriminator_fake(const Tensor& fake, const Tensor& real) const;

 private:
  Tensor centre(const Tensor& answers) const;
};

}  // namespace sr
