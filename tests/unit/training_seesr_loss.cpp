// SeeSR's training: its loss, held against finite differences.

#include "seesr_testing.h"
#include "training/seesr_loss.h"

using namespace sr;
using namespace sr::testing;

namespace {

DdpmScheduler scheduler(DdpmConfig::Prediction prediction = DdpmConfig::Prediction::epsilon) {
  return DdpmScheduler({.beta_start = 0.00085, .beta_end = 0.012, .prediction = prediction});
}

/// Two pictures' forward pass through networks that all learn.
struct Step {
  std::shared_ptr<ConditionedUnet> unet = tiny_unet();
  std::shared_ptr<ControlNet> controlnet = tiny_controlnet();
  SeesrSight sight{.pictures = drawn({2, 3, 32, 24}, 1).sigmoid(),
                   .text = drawn({2, 5, 12}, 2),
                   .image_tokens = drawn({2, 7, 12}, 3)};
  SeesrNoise noise{
      .code = drawn({2, 4, 4, 3}, 4), .added = drawn({2, 4, 4, 3}, 5), .timesteps = at::tensor({900, 20})};
  Tensor latents = drawn({2, 4, 4, 3}, 6);

  SeesrForward run(const DdpmScheduler& by = scheduler()) const {
    return seesr_forward(*unet, *controlnet, by, latents, sight, noise);
  }
  double loss() const {
    const at::NoGradGuard no_grad;
    const auto step = run();
    return (step.prediction.to(at::kDouble) - step.target).square().mean().item<double>();
  }
};

}  // namespace

TEST_CASE("SeeSR's loss: gradients are what finite differences say") {
  const Step step;
  step.run().loss().backward();
  const auto check = [&](const torch::nn::Module& network, const std::string& name) {
    CAPTURE(name);
    const Tensor parameter = network.named_parameters()[name];
    const double norm = parameter.grad().norm().item<double>();
    const Tensor direction = parameter.grad() / norm;
    constexpr double kStep = 1e-2;
    const auto loss_at = [&](double distance) {
      const at::NoGradGuard no_grad;
      parameter.add_(direction, distance);
      const double loss = step.loss();
      parameter.sub_(direction, distance);
      return loss;
    };
    CHECK(norm > 1e-3);
    CHECK((loss_at(kStep) - loss_at(-kStep)) / (2 * kStep) == doctest::Approx(norm).epsilon(5e-3));
  };
  check(*step.unet, "up_blocks.1.image_attentions.0.transformer_blocks.0.attn2.to_v.weight");
  check(*step.controlnet, "controlnet_cond_embedding.conv_out.weight");
  check(*step.controlnet, "controlnet_mid_block.weight");
}

TEST_CASE("SeeSR's loss: what is to be told is the noise, or the velocity where the scheduler has it so") {
  const Step step;
  const at::NoGradGuard no_grad;
  CHECK(step.run().target.equal(step.noise.added));
  const auto by_velocity = scheduler(DdpmConfig::Prediction::v);
  CHECK(step.run(by_velocity)
            .target.equal(by_velocity.velocity(step.latents, step.noise.added, step.noise.timesteps)));
}

TEST_CASE("SeeSR's loss: latents are the autoencoder's, of pictures in [-1,1], scaled") {
  const auto vae = tiny_vae();
  const Tensor pictures = drawn({2, 3, 32, 24}, 1).sigmoid(), code = drawn({2, 4, 4, 3}, 2);
  const auto gaussian = vae->encode(pictures * 2 - 1);
  CHECK(seesr_latents(*vae, seesr_moments(*vae, pictures), code)
            .allclose((gaussian.mean + gaussian.deviation() * code) * 0.18215, 1e-6, 1e-7));
}
