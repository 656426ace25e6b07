// What SeeSR's training is said to need of memory, held against what it takes.

#include "core/held_memory.h"
#include "seesr_testing.h"
#include "training/seesr_loss.h"
#include "training/seesr_plan.h"

using namespace sr;
using namespace sr::testing;

TEST_CASE("held memory: what is kept, and the most at once") {
  Tensor kept;
  const auto held = count_held_memory([&] {
    kept = at::zeros({1000});
    at::zeros({5000});
  });
  CHECK(held.kept == 4000);
  CHECK(held.most == 24000);
}

TEST_CASE("SeeSR's plan: small sizes tell what a larger one keeps") {
  const auto unet = tiny_unet();
  const auto controlnet = tiny_controlnet();
  double all = 0;
  for (const bool recomputing : {false, true}) {
    CAPTURE(recomputing);
    unet->set_recomputing(recomputing);
    controlnet->set_recomputing(recomputing);
    const double told = seesr_activations(*unet, *controlnet, {}).at(24 * 24);
    CHECK(told == doctest::Approx(kept_activations(*unet, *controlnet, {}, 24, 24)).epsilon(0.01));
    CHECK((recomputing ? told < 0.5 * all : told > 0));
    all = told;
  }
}

TEST_CASE("SeeSR's plan: a smaller size tells what the autoencoder holds of a larger one") {
  const auto vae = tiny_vae();
  const Tensor picture = at::zeros({1, 3, 8 * 40, 8 * 40});
  const auto taken = count_held_memory([&] { seesr_moments(*vae, picture); }).most;
  CHECK(encoder_memory(*vae, 40) == doctest::Approx(static_cast<double>(taken)).epsilon(0.05));
}

TEST_CASE("SeeSR's plan: a step takes about what the parts come to") {
  const auto unet = tiny_unet();
  const auto controlnet = tiny_controlnet();
  constexpr std::int64_t side = 40;
  const Tensor latents = drawn({1, 4, side, side}, 1);
  const SeesrSight sight{drawn({1, 3, 8 * side, 8 * side}, 2), drawn({1, 77, 12}, 3), drawn({1, 145, 12}, 4)};
  const SeesrNoise noise{latents, latents, at::tensor({500})};
  for (const bool recomputing : {false, true}) {
    CAPTURE(recomputing);
    unet->set_recomputing(recomputing);
    controlnet->set_recomputing(recomputing);
    const auto taken = count_held_memory([&] {
      seesr_forward(*unet, *controlnet, DdpmScheduler{DdpmConfig{}}, latents, sight, noise).loss().backward();
    });
    const auto layer = largest_layer(unet->config(), {}, side, side);
    const double told = seesr_activations(*unet, *controlnet, {}).at(side * side) +
                        static_cast<double>(recomputing ? layer.most : layer.most - layer.kept);
    CHECK(static_cast<double>(taken.most) > 0.8 * told);
    CHECK(static_cast<double>(taken.most) < 1.3 * told);
  }
}
