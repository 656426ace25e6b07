#pragma once
// Adversarial losses over a discriminator's answers. Source: BasicSR basicsr/losses/gan_loss.py GANLoss
// (@8d56e3a). Vanilla: Goodfellow et al., NIPS 2014; LSGAN: Mao et al., ICCV 2017; WGAN: Arjovsky et al.,
// ICML 2017; WGAN with softplus: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR
// 2020; hinge: Lim and Ye, "Geometric GAN", 2017.

#include "core/torch.h"

namespace sr {

struct GanLoss {
  enum class Type {
    vanilla,        ///< binary cross-entropy of the answers as logits
    lsgan,          ///< squared distance from the label
    wgan,           ///< minus the mean for real, the mean for fake; no labels
    wgan_softplus,  ///< the same through softplus
    hinge,          ///< discriminator: beyond a margin of 1; generator: minus the mean, whatever the target
  };
  enum class Target { fake, real };

  Type type = Type::vanilla;
  double real_label = 1, fake_label = 0;  ///< soft labels go here (vanilla and LSGAN)
  double weight = 1;                      ///< of the generator's loss alone

  /// `answers`: of any shape, not through a sigmoid. The mean, a number. The generator's target is what it
  /// wants to pass for.
  Tensor generator(const Tensor& answers, Target target = Target::real) const;
  Tensor discriminator(const Tensor& answers, Target target) const;

 private:
  Tensor mean_loss(const Tensor& answers, Target target) const;
};

}  // namespace sr
