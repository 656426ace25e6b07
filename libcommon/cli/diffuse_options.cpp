#include <CLI/CLI.hpp>

#include "cli/diffuse.h"
#include "cli/offers.h"

namespace sr {
namespace {

void add_model_folders(Program& program, DiffuseConfig& config) {
  constexpr auto* group = "Model";
  auto& app = program.app();
  app.add_option("--sd", config.base,
                 "Stable Diffusion 2 base as diffusers lays it out (stable-diffusion-2-base; with --turbo "
                 "sd-turbo): its tokenizer, text_encoder, vae and scheduler")
      ->type_name("NAME|DIR")
      ->group(group);
  program.offer("--sd", choice_of({"stable-diffusion-2-base", "sd-turbo"}));
  app.add_option("--seesr", config.seesr, "SeeSR's folder, of unet and controlnet (seesr)")
      ->type_name("NAME|DIR")
      ->group(group);
  program.offer("--seesr", choice_of({"seesr"}));
  app.add_flag("--turbo", config.turbo,
               "SeeSR-turbo: sd-turbo's U-Net with SeeSR's layers, 2 steps, no guidance")
      ->group(group);
  add_weights_option(program, config.weights);
}

void add_prompt_options(Program& program, DiffuseConfig& config) {
  constexpr auto* group = "Semantics";
  auto& app = program.app();
  app.add_option("--prompt", config.prompt, "Your own words, after the tags")
      ->type_name("TEXT")
      ->group(group);
  app.add_option("--added-prompt", config.added_prompt, "What ends every prompt")
      ->type_name("TEXT")
      ->group(group);
  app.add_option("--negative-prompt", config.negative_prompt, "What guidance leads away from")
      ->type_name("TEXT")
      ->group(group);
}

void add_sampling_options(Program& program, DiffuseConfig& config) {
  constexpr auto* group = "Sampling";
  auto& app = program.app();
  app.add_option("--steps", config.steps, "Steps of the sampler (50; --turbo: 2)")
      ->type_name("N")
      ->check(CLI::Range(1, 1000))
      ->group(group);
  program
      .add_number("--guidance", config.guidance, 0, 1000,
                  "Guidance scale (5.5; --turbo: 1): how far to follow the prompt; 1: the negative prompt is "
                  "not asked")
      ->type_name("S")
      ->group(group);
  program
      .add_number("--conditioning-scale", config.strength, 0, 10,
                  "How strongly the ControlNet holds to the picture (1)")
      ->type_name("S")
      ->group(group);
  program
      .add_choice("--start", config.start, "lr|noise",
                  "Begin with the picture under noise (LR embedding), or with noise alone")
      ->group(group);
  app.add_option("--start-steps", config.start_steps, "Leave timesteps above this out (999)")
      ->type_name("T")
      ->check(CLI::Range(1, 999))
      ->group(group);
  app.add_option("--samples", config.samples, "Results of each picture: NAME-1.png, NAME-2.png ... (1)")
      ->type_name("N")
      ->check(CLI::Range(1, 10000))
      ->group(group);
  // negative ones too, as in the official script
  app.add_option("--seed", config.seed,
                 "The seed (0); a result depends on it and on the picture's name, not on its neighbours")
      ->type_name("N")
      ->group(group);
}

void add_size_options(Program& program, DiffuseConfig& config) {
  constexpr auto* group = "Result";
  auto& app = program.app();
  app.add_option("--scale", config.scale, "Enlarge by S (4)")
      ->type_name("S")
      ->check(CLI::Range(1, 64))
      ->group(group);
  app.add_option("--process-size", config.process_size,
                 "Let the networks see no shorter side than this; smaller pictures are enlarged first (512)")
      ->type_name("N")
      ->check(CLI::Range(8, 65536))
      ->group(group);
  program
      .add_choice("--colour-fix,--color-fix", config.colour_fix, "adain|wavelet|none",
                  "How the colours are brought back to the picture's")
      ->group(group);
  app.add_option("--save-latents", config.save_latents,
                 "Write each result's last latents too: safetensors with `latents`, into DIR")
      ->type_name("DIR")
      ->group(group);
}

void add_tile_options(Program& program, DiffuseConfig& config) {
  constexpr auto* group = "Computation";
  auto& app = program.app();
  app.add_option("--latent-tile", config.latent_tile,
                 "Side of the U-Net's tiles in latents, 8 pixels each (96); 0: no tiles")
      ->type_name("N")
      ->check(CLI::Range(0, 100000))
      ->group(group);
  app.add_option("--latent-overlap", config.latent_overlap, "How far they overlap (4; --turbo: 32)")
      ->type_name("N")
      ->check(CLI::Range(0, 100000))
      ->group(group);
  app.add_option("--vae-encoder-tile", config.encoder_tile,
                 "Side of the autoencoder's tiles in pixels (1024); 0: no tiles")
      ->type_name("N")
      ->check(CLI::Range(0, 1000000))
      ->group(group);
  app.add_option("--vae-decoder-tile", config.decoder_tile,
                 "The same of its decoder in latents (224); smaller ones take less memory")
      ->type_name("N")
      ->check(CLI::Range(0, 100000))
      ->group(group);
}

}  // namespace

void add_diffuse_options(Program& program, DiffuseConfig& config) {
  add_input_options(program, config.input);
  add_shard_option(program, config.shard);
  add_max_pixels_option(program, config.max_pixels);
  add_output_options(program, config.output);
  add_model_folders(program, config);
  add_semantics_options(program, config.semantics);
  add_prompt_options(program, config);
  add_sampling_options(program, config);
  add_size_options(program, config);
  add_compute_options(program, config.compute);
  add_tile_options(program, config);
  program.app()
      .add_flag("--print-plan", config.print_plan,
                "Print what would be done of each picture, sizes, tiles, cost and memory, and exit")
      ->group("Computation");
}

}  // namespace sr
