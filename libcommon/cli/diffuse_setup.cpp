#include "cli/diffuse_setup.h"

#include <algorithm>

#include "cli/computing.h"
#include "cli/weights_source.h"

namespace sr {

SeesrOptions seesr_options(const DiffuseConfig& config) {
  SeesrOptions options;
  options.steps = config.steps.value_or(config.turbo ? 2 : 50);
  options.guidance = config.guidance.value_or(config.turbo ? 1 : 5.5);
  options.start = config.start == "lr" ? SeesrOptions::Start::lr : SeesrOptions::Start::noise;
  options.start_steps = config.start_steps;
  options.tiling.size = config.latent_tile;
  options.tiling.overlap =
      config.latent_overlap.value_or(config.turbo ? std::min(32, config.latent_tile / 2) : 4);
  return options;
}

SeesrFolders seesr_folders(const DiffuseConfig& config) {
  const WeightsSource source(config.weights);
  const std::string usual = config.turbo ? "sd-turbo" : "stable-diffusion-2-base";
  return {.base = source.find_folder(config.base.empty() ? usual : config.base),
          .seesr = source.find_folder(config.seesr),
          .turbo = config.turbo};
}

Placement placement_of(const DiffuseConfig& config) {
  const auto options = engine_options(config.compute);
  return {.device = options.device, .type = choose_type(options.precision, options.device)};
}

}  // namespace sr
