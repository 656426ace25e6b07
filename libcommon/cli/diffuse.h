#pragma once
// What sr-diffuse does: SeeSR over many pictures.

#include <optional>

#include "cli/batch.h"
#include "cli/semantics.h"
#include "diffusion/prompt.h"

namespace sr {

struct DiffuseConfig {
  InputOptions input;
  OutputOptions output;
  std::string shard;
  std::int64_t max_pixels = kMaxPixels;

  std::string base;             ///< Stable Diffusion's folder; empty: the one that goes with `turbo`
  std::string seesr = "seesr";  ///< the folder of SeeSR's unet and controlnet
  bool turbo = false;
  std::string weights;
  SemanticsOptions semantics;

  std::string prompt, added_prompt{kSeesrAddedPrompt}, negative_prompt{kSeesrNegativePrompt};
  std::optional<int> steps, latent_overlap;  ///< empty: as `turbo` has it
  std::optional<double> guidance;
  double strength = 1;  ///< of the ControlNet
  std::string start = "lr";
  int start_steps = 999;
  int scale = 4, process_size = 512;
  std::string colour_fix = "adain";
  int samples = 1;
  std::int64_t seed = 0;

  int latent_tile = 96, encoder_tile = 1024, decoder_tile = 224;
  ComputeOptions compute;
  std::string save_latents;  ///< a folder; empty: they aren't
  bool print_plan = false;
};

void add_diffuse_options(Program& program, DiffuseConfig& config);

/// Enlarges every picture, or prints what would be done.
ExitStatus diffuse(Program& program, const DiffuseConfig& config);

}  // namespace sr
