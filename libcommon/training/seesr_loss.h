#pragma once
// SeeSR's loss: the U-Net, its ControlNet beside it, is to tell the noise in the latents of sharp pictures
// from what they are told of the degraded ones. Paper: Wu et al., "SeeSR: Towards Semantics-Aware Real-World
// Image Super-Resolution", CVPR 2024, Eq. 2. Source: cswry/SeeSR train_seesr.py, the training loop
// (@8edecc7).

#include "diffusion/ddpm_scheduler.h"
#include "nets/autoencoder_kl.h"
#include "nets/controlnet.h"

namespace sr {

/// What the networks are told of degraded pictures, where the networks are.
struct SeesrSight {
  Tensor pictures;      ///< [N,3,8h,8w] in [0,1], enlarged to the sharp ones' size: the ControlNet's
  Tensor text;          ///< [N,77,features], the text encoder's
  Tensor image_tokens;  ///< [N,S,features], RAM's
};

/// What chance decides, where the networks are.
struct SeesrNoise {
  Tensor code;       ///< standard normal, of the latents' shape: which of the autoencoder's latents
  Tensor added;      ///< standard normal, of the latents' shape
  Tensor timesteps;  ///< int64 [N], in the scheduler's table
};

/// What the autoencoder makes of sharp pictures [N,3,8h,8w] in [0,1]: the means of Gaussians over latents,
/// and below them the logarithms of their variances, [N,2 latents,h,w]. No gradient.
Tensor seesr_moments(const AutoencoderKl& vae, const Tensor& pictures);
/// Their latents: those that `code` draws, times the autoencoder's scale.
Tensor seesr_latents(const AutoencoderKl& vae, const Tensor& moments, const Tensor& code);

/// One step forward, with a gradient where parameters ask for it.
struct SeesrForward {
  Tensor noisy;       ///< the latents with the noise
  Tensor prediction;  ///< of the U-Net, float32
  Tensor target;      ///< the noise, or the velocity where the scheduler has it so

  /// Mean squared error.
  Tensor loss() const { return at::mse_loss(prediction, target); }
};
SeesrForward seesr_forward(const ConditionedUnet& unet, const ControlNet& controlnet,
                           const DdpmScheduler& scheduler, const Tensor& latents, const SeesrSight& sight,
                           const SeesrNoise& noise);

}  // namespace sr
