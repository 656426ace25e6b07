// Latent diffusion's autoencoder, whole and tile by tile. Tolerances are each case's own. See
// ../shared/golden/seesr/README.md.

#include <fmt/format.h>
#include <fstream>

#include "case.h"
#include "core/records.h"
#include "diffusion/tiled_vae.h"
#include "nets/fill_module.h"

namespace golden {
namespace {

void compare(const Case& recorded, Report& report, const std::string& name, const Tensor& actual) {
  report.compare(name, actual, recorded.out(name), recorded.info().at("tol").at(name).get<double>());
}

std::shared_ptr<sr::AutoencoderKl> autoencoder(const Case& recorded) {
  return sr::make_autoencoder_kl(sr::autoencoder_kl_config(recorded.config()), recorded.parameters());
}

void compare_gaussian(const Case& recorded, Report& report, const sr::DiagonalGaussian& gaussian) {
  compare(recorded, report, "mean", gaussian.mean);
  compare(recorded, report, "logvar", gaussian.log_variance);
  compare(recorded, report, "std", gaussian.deviation());
  compare(recorded, report, "sample", gaussian.sample(recorded.in("noise")));
}

void run_gaussian(const Case& recorded, Report& report) {
  compare_gaussian(recorded, report, sr::DiagonalGaussian(recorded.in("parameters")));
}

void run_attention(const Case& recorded, Report& report) {
  const nlohmann::json& json = recorded.config();
  sr::VaeAttention attention(json.at("query_dim"), json.at("norm_num_groups"));
  sr::fill_module(attention, recorded.parameters());
  sr::VaeSteps steps;
  attention.add_steps(steps);
  compare(recorded, report, "y", sr::run_steps(steps, recorded.in("x")));
}

void run_autoencoder(const Case& recorded, Report& report) {
  const auto vae = autoencoder(recorded);
  const auto gaussian = vae->encode(recorded.in("x"));
  const double scale = vae->config().scale;
  compare_gaussian(recorded, report, gaussian);
  compare(recorded, report, "latents", gaussian.sample(recorded.in("noise")) * scale);
  compare(recorded, report, "decoded", vae->decode(recorded.in("z") / scale));
}

void run_tiled(const Case& recorded, Report& report) {
  const auto vae = autoencoder(recorded);
  const Tensor images = recorded.in("image").permute({0, 3, 1, 2}).to(at::kFloat) / 255 * 2 - 1;
  const Tensor latents = recorded.in("z") / vae->config().scale;
  sr::TiledVaeOptions options;
  options.encoder_size = recorded.info().at("encoder_tile_size");
  options.decoder_size = recorded.info().at("decoder_tile_size");
  for (const bool fast : {false, true}) {
    options.fast = fast;
    const std::string mode = fast ? "fast." : "normal.";
    const auto gaussian = encode_tiled(*vae, images, options);
    compare(recorded, report, mode + "mean", gaussian.mean);
    compare(recorded, report, mode + "logvar", gaussian.log_variance);
    compare(recorded, report, mode + "decoded", decode_tiled(*vae, latents, options));
  }
}

// --- tiled_vae_boxes.tsv -----------------------------------------------------------------------------

/// A line's fields behind the name of its part: sizes, whether it is tiled, the tile's number and boxes.
struct Line {
  bool encoder;
  std::vector<int64_t> numbers;
};

std::vector<Line> read_lines(const fs::path& path) {
  std::ifstream in(path.string());
  std::vector<Line> lines;
  std::string text;
  std::getline(in, text);  // names
  while (std::getline(in, text)) {
    const auto fields = sr::tsv_fields(text);
    Line& line = lines.emplace_back(Line{.encoder = fields.at(0) == "encoder", .numbers = {}});
    for (size_t i = 1; i < fields.size(); ++i) line.numbers.push_back(std::stoll(fields[i]));
  }
  return lines;
}

void run_boxes(const fs::path& path, const Options&, Report& report) {
  constexpr int64_t factor = 8;
  for (const Line& line : read_lines(path)) {
    const auto& n = line.numbers;
    const auto tiling =
        line.encoder ? sr::encoder_tiling(n.at(2), factor) : sr::decoder_tiling(n.at(2), factor);
    const auto tiles = sr::vae_tiles(n.at(0), n.at(1), tiling);
    const sr::VaeTile expected{.input = {n.at(9), n.at(10), n.at(7), n.at(8)},
                               .output = {n.at(13), n.at(14), n.at(11), n.at(12)}};
    const auto count = static_cast<int64_t>(tiles.size()), tile = n.at(6);
    report.require(fmt::format("{}x{}, tile {}", n[0], n[1], tile),
                   (count > 1) == (n.at(3) == 1) && count == n.at(4) * n.at(5) && tile < count &&
                       tiles[static_cast<size_t>(tile)] == expected);
  }
}

}  // namespace

void add_diffusion_vae_handlers(Handlers& handlers) {
  handlers["DiagonalGaussianDistribution"] = run_gaussian;
  handlers["Attention"] = run_attention;
  handlers["AutoencoderKL"] = run_autoencoder;
  handlers["TiledVAE"] = run_tiled;
}

void add_diffusion_vae_files(FileHandlers& handlers) { handlers["tiled_vae_boxes.tsv"] = run_boxes; }

}  // namespace golden
