#include "cli/upscale.h"

#include <chrono>
#include <cmath>
#include <fmt/format.h>

#include "cli/preview.h"
#include "core/records.h"
#include "image/resized_rows.h"
#include "image/vips.h"
#include "infer/upscaled_rows.h"
#include "nets/summary.h"

namespace sr {
namespace {

constexpr auto* kBicubic = "bicubic";  // in place of a model's name

int parse_tile(const std::string& text) {
  constexpr long kLargest = 1'000'000;
  if (text == "auto") return -1;
  const auto tile = parse_number(text, 0, kLargest);
  if (!tile) throw UsageError(fmt::format("--tile: '{}' is neither auto nor a number of pixels", text));
  return static_cast<int>(*tile);
}

int scaled(int side, double scale) { return std::max(1, static_cast<int>(std::lround(side * scale))); }

/// decode -> network -> (resize) -> encode, a strip at a time.
void upscale_one(const Job& job, const UpscaleConfig& config, Engine& engine, Log& log, Progress& progress) {
  const auto picture = open_picture(job.input.path, config.max_pixels);
  const auto encoding = encode_options(job, config.output, picture);
  auto rows = decode_rows(picture, alpha_policy(job, config.output, picture, log));
  const bool resized = config.scale > 0 && config.scale != engine.shape().scale;
  const UpscaleOptions options{parse_tile(config.tile), config.tile_pad,
                               encoding.depth == Depth::u8 && !resized};
  rows = with_progress(upscale_rows(std::move(rows), engine, options), progress);
  if (resized) {
    rows = resize_rows(std::move(rows), scaled(picture.height(), config.scale),
                       scaled(picture.width(), config.scale), {}, engine.stage());
  }
  encode(*rows, picture, job.target, encoding);
}

/// MATLAB's bicubic in a network's place: the first row of every table.
ExitStatus upscale_bicubic(Program& program, const UpscaleConfig& config, const Inputs& inputs, int threads) {
  if (config.tta || config.model.denoise != 1)
    throw UsageError("-m bicubic knows neither --tta nor --denoise");
  constexpr double kScale = 4;
  const double scale = config.scale > 0 ? config.scale : kScale;
  Stage stage([threads] { at::set_num_threads(threads); });
  return run_batch(program, inputs, config.output, config.batch, [&](const Job& job, Progress& progress) {
    const auto picture = open_picture(job.input.path, config.max_pixels);
    auto rows = decode_rows(picture, alpha_policy(job, config.output, picture, program.log()));
    rows = with_progress(scale_rows(std::move(rows), scale, {}, stage), progress);
    encode(*rows, picture, job.target, encode_options(job, config.output, picture));
  });
}

ExitStatus summarise(const StateDict& weights) {
  constexpr int kSide = 256;
  const auto summary = summarise(*make_network(weights), kSide, kSide);
  const auto& shape = summary.shape;
  RecordWriter writer(stdout, "standard output",
                      {{"family", "scale", "parameters", "multiply_adds", "receptive_radius"},
                       {{"multiply_adds", fmt::format("of an input of {}x{}", kSide, kSide)},
                        {"receptive_radius", "in input pixels"}}});
  const auto radius =
      shape.receptive_radius ? Field(int64_t{*shape.receptive_radius}) : Field(std::string("whole"));
  writer.write({shape.family, int64_t{shape.scale}, summary.parameters, summary.multiply_adds, radius});
  return ExitStatus::ok;
}

void tell_speed(Engine& engine, std::chrono::steady_clock::time_point start, Log& log) {
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double busy = engine.stage().busy_seconds();
  log.detail(fmt::format("{:.2f} s, the network busy for {:.0f} % of them", wall, 100 * busy / wall));
}

ExitStatus upscale_by_network(Program& program, const UpscaleConfig& config, const Inputs& inputs,
                              const EngineOptions& options) {
  const auto engine = needed_to_start(
      [&] { return std::make_unique<Engine>(load_model(config.model), options, program.log()); });
  const auto start = std::chrono::steady_clock::now();
  const auto status =
      run_batch(program, inputs, config.output, config.batch, [&](const Job& job, Progress& progress) {
        upscale_one(job, config, *engine, program.log(), progress);
      });
  tell_speed(*engine, start, program.log());
  return status;
}

}  // namespace

ExitStatus upscale(Program& program, const UpscaleConfig& config) {
  parse_tile(config.tile);
  check_output_options(config.output);
  if (config.summary && config.model.model == kBicubic)
    throw UsageError("--summary: -m bicubic has no network");
  if (config.summary) return summarise(load_model(config.model));
  auto options = engine_options(config.compute);
  options.tta = config.tta;
  const VipsSession vips(program.info().name.c_str(), options.threads);
  const auto inputs = find_inputs(config.input, program.log(), config.output.output);
  std::vector<Job> previewed;
  if (!config.preview.empty()) {
    previewed = batch_jobs(inputs, config.output, config.batch);
    check_preview(config.preview, previewed);
  }
  const auto& model = config.model.model;
  const auto status = model == kBicubic ? upscale_bicubic(program, config, inputs, options.threads)
                                        : upscale_by_network(program, config, inputs, options);
  const auto name = fs::path(model).stem().string();
  const bool shown = previewed.empty() || write_preview(config.preview, previewed, name, program.log());
  return shown ? status : ExitStatus::some_failed;
}

}  // namespace sr
