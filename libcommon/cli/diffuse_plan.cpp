#include "cli/diffuse_plan.h"

#include <algorithm>
#include <fmt/format.h>

#include "cli/diffuse_setup.h"
#include "cli/tagged_files.h"
#include "core/records.h"
#include "diffusion/process_size.h"
#include "diffusion/seesr_costs.h"
#include "diffusion/vae_tiles.h"
#include "nets/summary.h"

namespace sr {
namespace {

std::string text_of(const PixelSize& size) { return fmt::format("{}x{}", size.width, size.height); }

/// Latents of the largest tile's input.
int64_t largest_input(const std::vector<VaeTile>& tiles) {
  int64_t largest = 0;
  for (const auto& tile : tiles) largest = std::max(largest, tile.input.height() * tile.input.width());
  return largest;
}

class Plan {
 public:
  explicit Plan(const DiffuseConfig& config)
      : config_(config),
        options_(seesr_options(config)),
        placement_(placement_of(config)),
        folders_(seesr_folders(config)),
        outlines_(needed_to_start([&] { return outline_seesr(folders_); })),
        visited_(visited_timesteps(
            DdpmSteps(needed_to_start([&] { return load_scheduler(folders_); }), options_.steps),
            options_.start_steps)),
        costs_(seesr_costs(outlines_)) {}

  RecordLayout layout() const {
    return {{"file", "size", "process", "result", "latent_tiles", "latent_tile", "encoder_tiles",
             "decoder_tiles", "steps", "multiply_adds_a_step", "multiply_adds", "memory"},
            {{"parameters",
              fmt::format("unet {}, controlnet {}, vae {}, text_encoder {}",
                          count_parameters(*outlines_.unet), count_parameters(*outlines_.controlnet),
                          count_parameters(*outlines_.vae), count_parameters(*outlines_.text_encoder))},
             {"multiply_adds", "of a result: U-Net, ControlNet, autoencoder"},
             {"memory", "about, in bytes, at most"}}};
  }

  std::vector<Field> row(const Input& input) const {
    const auto picture = open_picture(input.path, config_.max_pixels);
    const PixelSize size{picture.width(), picture.height()};
    const auto sizes = process_sizes(size, config_.scale, config_.process_size);
    const int64_t height = sizes.process.height / 8, width = sizes.process.width / 8;
    const LatentTiles tiles(height, width, options_.tiling);
    const auto encoder =
        vae_tiles(sizes.process.height, sizes.process.width, encoder_tiling(config_.encoder_tile, 8));
    const auto decoder = vae_tiles(height, width, decoder_tiling(config_.decoder_tile, 8));
    const int64_t count = tiles.cut() ? static_cast<int64_t>(tiles.tiles().size()) : 1;
    const int64_t tile = tiles.tile_height() * tiles.tile_width(), prompts = options_.guided() ? 2 : 1;
    const double step = costs_.prediction.at(tile) * static_cast<double>(count * prompts);
    const double total = step * static_cast<double>(visited_.size()) + vae_cost(encoder, 64, costs_.encode) +
                         vae_cost(decoder, 1, costs_.decode);
    const int64_t value_bytes = placement_.type == at::kFloat ? 4 : 2;
    return {
        row_name(input),
        text_of(size),
        text_of(sizes.process),
        text_of(sizes.output),
        count,
        fmt::format("{}x{}", tiles.tile_width(), tiles.tile_height()),
        static_cast<int64_t>(encoder.size()),
        static_cast<int64_t>(decoder.size()),
        static_cast<int64_t>(visited_.size()),
        static_cast<int64_t>(step),
        static_cast<int64_t>(total),
        static_cast<int64_t>(seesr_memory(outlines_, value_bytes, prompts, tile, largest_input(decoder)))};
  }

 private:
  /// `places`: of a tile's input, to a latent.
  static double vae_cost(const std::vector<VaeTile>& tiles, int64_t places, const AreaCost& cost) {
    double sum = 0;
    for (const auto& tile : tiles) sum += cost.at(tile.input.height() * tile.input.width() / places);
    return sum;
  }

  const DiffuseConfig& config_;
  SeesrOptions options_;
  Placement placement_;
  SeesrFolders folders_;
  SeesrOutlines outlines_;
  std::vector<int64_t> visited_;
  SeesrCosts costs_;
};

}  // namespace

ExitStatus print_plan(Program& program, const DiffuseConfig& config) {
  auto& log = program.log();
  const auto inputs = find_inputs(config.input, log, config.output.output);
  for (const auto& missing : inputs.missing) log.error(missing);
  const Plan plan(config);
  RecordWriter writer(stdout, "standard output", plan.layout());
  bool well = inputs.missing.empty();
  for (const auto& input : shard_of(inputs.files, config.shard)) {
    const auto name = shown(input.path, "standard input");
    well = attempt(log, {name}, [&] { writer.write(plan.row(input)); }) && well;
  }
  return well ? ExitStatus::ok : ExitStatus::some_failed;
}

}  // namespace sr
