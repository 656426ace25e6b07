// What stands around SeeSR's networks, and the sampler with toys in their place.

#include <limits>
#include <nlohmann/json.hpp>

#include "core/random.h"
#include "diffusion/colour_fix.h"
#include "diffusion/ddpm_scheduler.h"
#include "diffusion/latent_tiles.h"
#include "diffusion/process_size.h"
#include "diffusion/seesr_sampler.h"
#include "weights_testing.h"

using namespace sr;
using namespace sr::testing;

namespace {

Tensor normal(at::IntArrayRef shape, const std::string& purpose) {
  Tensor values = at::empty(shape, at::kFloat);
  RandomStream(1, "diffusion", purpose).fill_normal(values);
  return values;
}

/// What SD2-base stores, with one value changed.
nlohmann::json stored_config(const std::string& key = "", const nlohmann::json& value = {}) {
  nlohmann::json json{{"_class_name", "PNDMScheduler"},
                      {"beta_end", 0.012},
                      {"beta_schedule", "scaled_linear"},
                      {"beta_start", 0.00085},
                      {"clip_sample", false},
                      {"num_train_timesteps", 1000},
                      {"prediction_type", "epsilon"},
                      {"set_alpha_to_one", false},
                      {"skip_prk_steps", true},
                      {"steps_offset", 1},
                      {"trained_betas", nullptr}};
  if (!key.empty()) json[key] = value;
  return json;
}

DdpmScheduler scheduler(const std::string& key = "", const nlohmann::json& value = {}) {
  return DdpmScheduler(ddpm_config(stored_config(key, value)));
}

bool near(const Tensor& left, const Tensor& right, double tolerance) {
  return left.sizes() == right.sizes() && (left - right).abs().max().item<double>() <= tolerance;
}

/// Networks that take the latents for noise, but for a shade of the picture; the negative prompt's answer is
/// that much off. They write down how they are called.
struct Toy {
  double off = 0.01;
  bool guided = true;
  std::vector<std::string> calls = {};
  std::vector<int64_t> timesteps = {};

  SeesrNetworks networks() {
    SeesrNetworks networks;
    networks.encode = [this](const Tensor& picture, const Tensor& noise) {
      calls.push_back("encode");
      return picture.slice(2, 0, {}, 8).slice(3, 0, {}, 8).mean(1, true) + noise;
    };
    networks.decode = [this](const Tensor& latents) {
      calls.push_back("decode");
      return at::upsample_nearest2d(latents.slice(1, 0, 3) / 50, {8 * latents.size(2), 8 * latents.size(3)});
    };
    networks.show = [this](const Tensor& picture) -> NoisePrediction {
      calls.push_back("show");
      const Tensor small = picture.slice(2, 0, {}, 8).slice(3, 0, {}, 8).mean(1, true);
      return [this, small](const Tensor& latents, int64_t timestep) {
        timesteps.push_back(timestep);
        const Tensor right = latents + 0.01 * small;
        return guided ? at::cat({right - off, right}) : right;
      };
    };
    return networks;
  }
};

const Tensor& picture() {
  static const Tensor made = normal({1, 3, 64, 128}, "picture").mul_(0.2).add_(0.5).clamp_(0, 1);
  return made;
}

}  // namespace

TEST_CASE("a scheduler's settings that aren't known here are named") {
  const auto complaint = [](const std::string& key, const nlohmann::json& value) {
    return error_of([&] { ddpm_config(stored_config(key, value)); });
  };
  CHECK(complaint("beta_schedule", "linear") ==
        "beta_schedule = \"linear\", but only \"scaled_linear\" is built here");
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, nlohmann::json>>{{"trained_betas", {0.1, 0.2}},
                                                           {"variance_type", "learned"},
                                                           {"clip_sample", true},
                                                           {"thresholding", true},
                                                           {"rescale_betas_zero_snr", true},
                                                           {"prediction_type", "sample"},
                                                           {"timestep_spacing", "karras"},
                                                           {"num_train_timesteps", 0},
                                                           {"num_train_timesteps", "many"},
                                                           {"steps_offset", 1000},
                                                           {"steps_offset", 0.5},
                                                           {"beta_start", 0},
                                                           {"beta_end", 1}}) {
    CHECK(complaint(key, value).starts_with(key + " = "));
  }
  nlohmann::json unsaid = stored_config();
  unsaid.erase("clip_sample");  // diffusers clips where nothing is said
  CHECK(error_of([&] { ddpm_config(unsaid); }) == "clip_sample = true, but only false is built here");
  CHECK(contains(error_of([] { ddpm_config(nlohmann::json::array()); }), "no JSON object"));
}

TEST_CASE("predictions of noise and of velocity lead back to the same sample") {
  const Tensor sample = normal({1, 4, 5, 7}, "sample"), noise = normal({1, 4, 5, 7}, "noise");
  for (const int64_t timestep : {1, 501, 981}) {
    const Tensor at = torch::tensor({timestep});
    const DdpmScheduler epsilon = scheduler(), v = scheduler("prediction_type", "v_prediction");
    const Tensor noisy = epsilon.add_noise(sample, noise, at);
    CHECK(near(DdpmSteps(epsilon, 50).denoised(noisy, noise, timestep), sample, 1e-4));
    CHECK(near(DdpmSteps(v, 50).denoised(noisy, v.velocity(sample, noise, at), timestep), sample, 1e-5));
  }
}

TEST_CASE("the last step arrives at the sample, and steps stay within the table") {
  const DdpmScheduler ddpm = scheduler();
  const DdpmSteps steps(ddpm, 50);
  const Tensor sample = normal({1, 4, 2, 2}, "sample"), noise = normal({1, 4, 2, 2}, "noise");
  const Tensor noisy = ddpm.add_noise(sample, noise, torch::tensor({int64_t{1}}));
  CHECK(near(steps.step(noisy, noise, 1, noise), sample, 1e-5));
  const DdpmSteps all(ddpm, 1000);
  CHECK(all.timesteps().front() == 1000);
  CHECK(error_of([&] { all.step(noisy, noise, 1000, noise); }) ==
        "timestep 1000 is none of the scheduler's 1000");
  CHECK_THROWS_AS(DdpmSteps(ddpm, 0), UsageError);
  CHECK_THROWS_AS(DdpmSteps(ddpm, 1001), UsageError);
}

TEST_CASE("tiles cover the latents, thin ones too, and mix what agrees to itself") {
  const auto covers = [](int64_t height, int64_t width, const LatentTiling& tiling, size_t count) {
    const LatentTiles tiles(height, width, tiling);
    const Tensor map = normal({2, 4, height, width}, "map");
    const Tensor mixed = tiles.stitched([&](size_t i) { return tiles.part(map, tiles.tiles()[i]).clone(); });
    CHECK(tiles.tiles().size() == count);
    CHECK(near(mixed, map, 1e-5));
  };
  covers(40, 50, {.size = 16, .overlap = 4}, 12);
  covers(96, 96, {}, 1);
  covers(20, 500, {}, 31);
  covers(32, 320, {.size = 96, .overlap = 32}, 19);  // tiles of 32, which such an overlap would never leave
  covers(1, 300, {.size = 16, .overlap = 4}, 300);
  covers(200, 300, {.size = 0}, 1);
  CHECK_THROWS_AS(LatentTiles(9, 9, {.size = 8, .overlap = 8}), UsageError);
  CHECK_THROWS_AS(LatentTiles(9, 9, {.size = -1, .overlap = 0}), UsageError);
  CHECK_THROWS_AS(LatentTiles(9, 9, {.size = 8, .overlap = -1}), UsageError);
}

TEST_CASE("a tile's middle counts more than its border") {
  const LatentTiles tiles(8, 12, {.size = 8, .overlap = 4});
  const Tensor mixed = tiles.stitched([](size_t i) {
    return at::full({1, 1, 8, 8}, static_cast<double>(i));
  });
  const Tensor row = mixed[0][0][3];
  CHECK(row[3].item<float>() == 0);
  CHECK(row[4].item<float>() < 0.2);
  CHECK(row[5].item<float>() < 0.5);
  CHECK(row[6].item<float>() > 0.5);
  CHECK(row[8].item<float>() == 1);
}

TEST_CASE("colours become the reference's; levels are cut off") {
  const Tensor drifted = (picture() * 0.5 + 0.3).contiguous();
  const Tensor moved = fixed_channel(drifted[0][1], picture()[0][1], ColourFix::adain);
  CHECK(near(moved, picture()[0][1], 1e-3));
  // A shift of all pixels is low frequency; detail of the reference isn't taken.
  const Tensor smooth = at::full({64, 128}, 0.25F);
  const Tensor waves = at::linspace(0, 30, 128).sin().mul(0.1).expand({64, 128});
  const Tensor shifted = fixed_channel(waves + 0.6, smooth, ColourFix::wavelet);
  CHECK(std::abs(shifted.mean().item<double>() - 0.25) < 0.01);
  CHECK(shifted.std().item<double>() > 0.05);
  const Tensor fixed = colour_fixed(drifted, picture(), ColourFix::adain) * 255;
  CHECK(near(fixed, fixed.round(), 1e-4));
  CHECK(near(fixed_channel(drifted[0][2], picture()[0][2], ColourFix::adain).clamp(0, 1).mul(255).floor(),
             fixed[0][2], 1e-4));
  CHECK(error_of([] { colour_fixed(picture(), picture().narrow(3, 0, 64), ColourFix::adain); }) ==
        "a picture of 128x64 can't have the colours of one of 64x64");
  CHECK_THROWS_AS(colour_fix("nofix"), UsageError);
}

TEST_CASE("sizes that can't be worked at") {
  CHECK_THROWS_AS(process_sizes({100, 100}, 0, 512), UsageError);
  CHECK_THROWS_AS(process_sizes({100, 100}, 4, 0), UsageError);
  CHECK(error_of([] {
          process_sizes({3, 100}, 1, 2);
        }) == "3x100 pixels are too few to work at; a side needs 8");
  const ProcessSizes sizes = process_sizes({13, 9}, 2, 16);
  const Tensor resized = process_picture(at::full({1, 3, 9, 13}, 77.F / 255), sizes);
  CHECK(near(resized, at::full({1, 3, 16, 24}, 77.F / 255), 1e-7));
}

// --- the sampler -----------------------------------------------------------------------------------

TEST_CASE("the sampler draws, shows and steps in order") {
  Toy toy;
  std::vector<std::string> drawn;
  const NoiseSource streams = named_noise(7, "a.png");
  const NoiseSource noise = [&](const std::string& purpose, at::IntArrayRef shape) {
    drawn.push_back(purpose);
    CHECK((shape == at::IntArrayRef{1, 4, 8, 16}));
    return streams(purpose, shape);
  };
  const SeesrSampler sampler(scheduler(), {.steps = 4, .tiling = {.size = 8, .overlap = 4}});
  double parts = 0;
  std::vector<int64_t> stepped;
  SeesrHooks hooks;
  hooks.advanced = [&](double part) { parts += part; };
  hooks.stepped = [&](const SeesrStep& step) {
    CHECK(step.count == 4);
    stepped.push_back(step.timestep);
  };
  const Tensor result = sampler.run(picture(), toy.networks(), noise, hooks);
  CHECK((drawn == std::vector<std::string>{"latents", "vae", "step0", "step1", "step2", "step3"}));
  CHECK((toy.calls == std::vector<std::string>{"encode", "show", "show", "show", "decode"}));
  CHECK((toy.timesteps == std::vector<int64_t>{751, 751, 751, 501, 501, 501, 251, 251, 251, 1, 1, 1}));
  CHECK((stepped == std::vector<int64_t>{751, 501, 251, 1}));
  CHECK(parts == doctest::Approx(1));
  CHECK(result.sizes() == picture().sizes());
  CHECK(near(result * 255, (result * 255).round(), 1e-4));
  CHECK(result.equal(sampler.run(picture(), toy.networks(), named_noise(7, "a.png"))));
  CHECK(!result.equal(sampler.run(picture(), toy.networks(), named_noise(7, "b.png"))));
}

TEST_CASE("guidance goes beyond the prompt's prediction, by the negative one's distance") {
  const auto predicted = [](double guidance) {
    Toy toy{.guided = guidance > 1};
    Tensor found;
    SeesrHooks hooks;
    hooks.stepped = [&](const SeesrStep& step) { found = found.defined() ? found : step.prediction; };
    SeesrSampler(scheduler(), {.steps = 2, .guidance = guidance})
        .run(picture(), toy.networks(), named_noise(1, ""), hooks);
    return found;
  };
  CHECK(near(predicted(5.5), predicted(1) + 4.5 * Toy{}.off, 1e-5));
  Toy toy{.guided = false};
  CHECK(error_of([&] {
          SeesrSampler(scheduler(), {.steps = 2}).run(picture(), toy.networks(), named_noise(1, ""));
        }) == "the networks predict for 1 prompts instead of 2");
}

TEST_CASE("where the sampler starts") {
  Toy toy;
  using Start = SeesrOptions::Start;
  SeesrSampler(scheduler(), {.steps = 5, .start = Start::noise})
      .run(picture(), toy.networks(), named_noise(1, ""));
  CHECK((toy.calls == std::vector<std::string>{"show", "decode"}));
  toy.timesteps.clear();
  SeesrSampler(scheduler(), {.steps = 5, .start_steps = 600})
      .run(picture(), toy.networks(), named_noise(1, ""));
  CHECK((toy.timesteps == std::vector<int64_t>{401, 201, 1}));
  // No step at all: what is decoded is the LR picture's latents under almost no noise.
  toy.timesteps.clear();
  const SeesrSampler none(scheduler(), {.steps = 5, .start_steps = 0});
  none.run(picture(), toy.networks(), named_noise(1, ""));
  CHECK(toy.timesteps.empty());
}

TEST_CASE("what isn't finite is told with its step") {
  Toy toy;
  SeesrNetworks networks = toy.networks();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  networks.show = [&](const Tensor& shown) -> NoisePrediction {
    return [&, predict = toy.networks().show(shown)](const Tensor& latents, int64_t timestep) {
      Tensor prediction = predict(latents, timestep);
      if (timestep == 501) prediction[1][3][7][15] = nan;
      return prediction;
    };
  };
  const SeesrSampler sampler(scheduler(), {.steps = 4});
  CHECK(error_of([&] { sampler.run(picture(), networks, named_noise(1, "")); }) ==
        "step 2 of 4 (timestep 501) came out with values that are no numbers");
  networks = toy.networks();
  networks.encode = [&](const Tensor&, const Tensor& noise) { return noise * nan; };
  CHECK(error_of([&] { sampler.run(picture(), networks, named_noise(1, "")); }) ==
        "the encoded picture came out with values that are no numbers");
}

TEST_CASE("a sampler refuses what it can't do") {
  CHECK_THROWS_AS(SeesrSampler(scheduler(), {.steps = 0}), UsageError);
  CHECK_THROWS_AS(SeesrSampler(scheduler(), {.start_steps = 1000}), UsageError);
  CHECK_THROWS_AS(SeesrSampler(scheduler(), {.tiling = {.size = 8, .overlap = 9}}), UsageError);
  Toy toy;
  CHECK(error_of([&] {
          SeesrSampler(scheduler(), {}).run(at::zeros({1, 3, 12, 16}), toy.networks(), named_noise(1, ""));
        }) == "SeeSR works at RGB pictures [1,3,H,W] with sides of multiples of 8, not [1,3,12,16]");
}
