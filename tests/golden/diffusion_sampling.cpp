// What stands around SeeSR's networks: the scheduler, where it starts, latent tiles, sizes, prompts, colours.
// Tolerances are each case's own. See ../shared/golden/seesr/README.md.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>

#include "case.h"
#include "degrade/pil_resize.h"
#include "diffusion/colour_fix.h"
#include "diffusion/ddpm_scheduler.h"
#include "diffusion/latent_tiles.h"
#include "diffusion/process_size.h"
#include "diffusion/prompt.h"
#include "diffusion/seesr_sampler.h"

namespace golden {
namespace {

void compare(const Case& recorded, Report& report, const std::string& name, const Tensor& actual) {
  report.compare(name, actual, recorded.out(name), recorded.info().at("tol").at(name).get<double>());
}

// --- scheduler -------------------------------------------------------------------------------------

/// Outputs are named timesteps[_SPACING]_STEPS.
void compare_timesteps(const Case& recorded, Report& report, const std::string& name) {
  const auto parts = sr::split(name, '_');
  nlohmann::json config = recorded.config();
  if (parts.size() == 3) config["timestep_spacing"] = parts[1];
  const sr::DdpmScheduler scheduler(sr::ddpm_config(config));
  const sr::DdpmSteps steps(scheduler, std::stol(parts.back()));
  report.compare(name, torch::tensor(steps.timesteps()), recorded.out(name), 0);
}

void run_schedule(const Case& recorded, Report& report) {
  const sr::DdpmScheduler scheduler(sr::ddpm_config(recorded.config()));
  report.require("diffusers' own settings and those it stores say the same",
                 sr::ddpm_config(recorded.config()) == sr::ddpm_config(recorded.info().at("stored_config")));
  compare(recorded, report, "betas", scheduler.betas());
  compare(recorded, report, "alphas_cumprod", scheduler.alphas_cumprod());
  const Tensor x0 = recorded.in("x0"), noise = recorded.in("noise"), t = recorded.in("t");
  compare(recorded, report, "add_noise", scheduler.add_noise(x0, noise, t));
  compare(recorded, report, "velocity", scheduler.velocity(x0, noise, t));
  for (const std::string& name : recorded.outputs()) {
    if (name.starts_with("timesteps_")) compare_timesteps(recorded, report, name);
  }
}

void run_steps(const Case& recorded, Report& report) {
  const sr::DdpmScheduler scheduler(sr::ddpm_config(recorded.config()));
  const sr::DdpmSteps steps(scheduler, recorded.info().at("steps"));
  report.compare("timesteps", torch::tensor(steps.timesteps()), recorded.in("timesteps"), 0);
  const Tensor predictions = recorded.in("model_output"), noise = recorded.in("noise");
  std::vector<Tensor> denoised, samples{recorded.in("x0")};
  std::vector<double> variances;
  for (size_t i = 0; i < steps.timesteps().size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const int64_t t = steps.timesteps()[i];
    const Tensor prediction = predictions.narrow(0, at, 1);
    denoised.push_back(steps.denoised(samples.back(), prediction, t));
    variances.push_back(steps.variance(t));
    samples.push_back(steps.step(samples.back(), prediction, t, noise.narrow(0, at, 1)));
  }
  compare(recorded, report, "pred_original", at::cat(denoised));
  compare(recorded, report, "variance", torch::tensor(variances));
  compare(recorded, report, "x", at::cat(samples).slice(0, 1));
}

/// Outputs are named start_STEPS and visited_STEPS, of 20 steps.
void run_lr_start(const Case& recorded, Report& report) {
  const sr::DdpmScheduler scheduler(sr::ddpm_config(recorded.config()));
  const sr::DdpmSteps steps(scheduler, 20);
  for (const std::string& name : recorded.outputs()) {
    const int64_t start = std::stol(name.substr(name.find('_') + 1));
    if (name.starts_with("visited_")) {
      const Tensor visited = torch::tensor(sr::visited_timesteps(steps, start));
      report.compare(name, visited, recorded.out(name), 0);
    } else {
      const Tensor latents = recorded.in("lr_latents").narrow(0, 0, 1);
      compare(recorded, report, name,
              scheduler.add_noise(latents, recorded.in("noise"), torch::tensor({start})));
    }
  }
}

// --- tiles -----------------------------------------------------------------------------------------

/// Outputs are named nSIDE.
void run_weights(const Case& recorded, Report& report) {
  for (const std::string& name : recorded.outputs()) {
    const Tensor weights = sr::latent_tile_weights(std::stol(name.substr(1)));
    compare(recorded, report, name, weights.expand_as(recorded.out(name)));
  }
}

std::string offsets_text(const sr::LatentTiles& tiles) {
  std::vector<std::string> places;
  for (const auto& [y, x] : tiles.tiles()) places.push_back(fmt::format("{},{}", y, x));
  return fmt::format("{}", fmt::join(places, " "));
}

void check_tiles(const fs::path& table, const Options& /*options*/, Report& report) {
  for (const Row& row : read_table(table)) {
    const auto number = [&row](const char* column) { return std::stol(row.at(column)); };
    const sr::LatentTiles tiles(number("latent_h"), number("latent_w"),
                                {.size = number("tile_size"), .overlap = number("tile_overlap")});
    const std::string size = row.at("latent_h") + "x" + row.at("latent_w");
    report.require(size + " is cut", tiles.cut() == (number("tiled") == 1));
    if (!tiles.cut()) continue;
    const int64_t side = number("effective_tile");
    report.require(size + "'s tiles", tiles.tile_height() == side && tiles.tile_width() == side);
    report.require(size + "'s offsets", offsets_text(tiles) == row.at("offsets_y_x"));
  }
}

// --- pictures --------------------------------------------------------------------------------------

/// Recorded pictures are uint8 H x W x 3, ours [1,3,H,W] in [0,1].
Tensor image(const Tensor& recorded) {
  return recorded.permute({2, 0, 1}).unsqueeze(0).to(at::kFloat).div(255).contiguous();
}

Tensor recorded_form(const Tensor& picture) { return (picture[0] * 255).round().permute({1, 2, 0}); }

/// `tolerance(name)` of the floats.
void compare_fixes(const Case& recorded, Report& report,
                   const std::function<double(const std::string&)>& tolerance) {
  const Tensor target = image(recorded.in("target")), source = image(recorded.in("source"));
  for (const std::string name : {"adain", "wavelet"}) {
    const sr::ColourFix fix = sr::colour_fix(name);
    std::vector<Tensor> channels;
    for (int64_t c = 0; c < 3; ++c) channels.push_back(sr::fixed_channel(target[0][c], source[0][c], fix));
    const Tensor expected = recorded.out(name + "_float");
    report.compare(name + "_float", at::stack(channels).view(expected.sizes()), expected,
                   tolerance(name + "_float"));
    // Cut off to 8 bits, a value on a level falls to either side of it.
    report.compare_integers(name, recorded_form(sr::colour_fixed(target, source, fix)), recorded.out(name), 1,
                            1e-3);
  }
  report.require("no fix leaves the picture",
                 sr::colour_fixed(target, source, sr::ColourFix::none).equal(target));
}

void run_colour_fix(const Case& recorded, Report& report) {
  compare_fixes(recorded, report,
                [&](const std::string& name) { return recorded.info().at("tol").at(name).get<double>(); });
}

/// The same, recorded among the measures, with what lies between, which our code has no names for.
void run_measured_colour_fix(const Case& recorded, Report& report) {
  compare_fixes(recorded, report, [](const std::string&) { return 1e-5; });
  for (const std::string& name : recorded.outputs()) {
    if (name.starts_with("target_") || name.starts_with("blur_")) recorded.leave(name);
  }
}

void run_pil_resize(const Case& recorded, Report& report) {
  for (int i = 0; recorded.has(fmt::format("in.image{}", i)); ++i) {
    const Tensor expected = recorded.out(fmt::format("resized{}", i));
    const Tensor resized =
        sr::pil_bicubic(image(recorded.in(fmt::format("image{}", i))), expected.size(0), expected.size(1));
    report.compare(fmt::format("resized{}", i), recorded_form(resized), expected, 0);
  }
}

void check_sizes(const fs::path& table, const Options& /*options*/, Report& report) {
  for (const Row& row : read_table(table)) {
    const auto number = [&row](const std::string& column) { return std::stol(row.at(column)); };
    const auto sides = [&number](const std::string& step) {
      return sr::PixelSize{number(step + "_w"), number(step + "_h")};
    };
    const auto sizes =
        sr::process_sizes({number("width"), number("height")}, number("upscale"), number("process_size"));
    const std::string picture = row.at("width") + "x" + row.at("height");
    report.require(picture + " enlarged", sizes.enlarged == sides("enlarged"));
    report.require(picture + " scaled", sizes.scaled == sides("scaled"));
    report.require(picture + " at work", sizes.process == sides("process"));
    report.require(picture + " put out", sizes.output == sides("out"));
  }
}

void check_prompts(const fs::path& table, const Options& /*options*/, Report& report) {
  for (const Row& row : read_table(table)) {
    const std::string prompt = sr::seesr_prompt(row.at("tags"), row.at("prompt"), row.at("added_prompt"));
    report.require(row.at("full_prompt"), prompt == row.at("full_prompt"));
  }
}

}  // namespace

void add_diffusion_sampling_handlers(Handlers& handlers) {
  handlers["DDPMScheduler"] = run_schedule;
  handlers["DDPMScheduler.step"] = run_steps;
  handlers["LREStart"] = run_lr_start;
  handlers["GaussianTileWeights"] = run_weights;
  handlers["ColorFix"] = run_colour_fix;
  handlers["colour_fix"] = run_measured_colour_fix;
  handlers["PILResize"] = run_pil_resize;
}

void add_diffusion_sampling_files(FileHandlers& handlers) {
  handlers["latent_tiles.tsv"] = check_tiles;
  handlers["sizes.tsv"] = check_sizes;
  handlers["prompts.tsv"] = check_prompts;
}

}  // namespace golden
