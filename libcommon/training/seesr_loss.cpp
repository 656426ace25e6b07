#include "training/seesr_loss.h"

namespace sr {

Tensor seesr_moments(const AutoencoderKl& vae, const Tensor& pictures) {
  const at::NoGradGuard no_grad;
  const auto gaussian = vae.encode(pictures * 2 - 1);
  return at::cat({gaussian.mean, gaussian.log_variance}, 1);
}

Tensor seesr_latents(const AutoencoderKl& vae, const Tensor& moments, const Tensor& code) {
  const at::NoGradGuard no_grad;
  return DiagonalGaussian(moments).sample(code) * vae.config().scale;
}

SeesrForward seesr_forward(const ConditionedUnet& unet, const ControlNet& controlnet,
                           const DdpmScheduler& scheduler, const Tensor& latents, const SeesrSight& sight,
                           const SeesrNoise& noise) {
  SeesrForward step;
  step.noisy = scheduler.add_noise(latents, noise.added, noise.timesteps);
  const auto added =
      controlnet.forward(step.noisy, noise.timesteps, controlnet.prepare(sight.text, sight.image_tokens),
                         controlnet.embed(sight.pictures));
  step.prediction =
      unet.forward(step.noisy, noise.timesteps, unet.prepare(sight.text, sight.image_tokens), added);
  const bool velocity = scheduler.config().prediction == DdpmConfig::Prediction::v;
  step.target = velocity ? scheduler.velocity(latents, noise.added, noise.timesteps) : noise.added;
  return step;
}

}  // namespace sr
