#include "cli/fit_niqe.h"

#include <CLI/CLI.hpp>
#include <atomic>
#include <fmt/format.h>

#include "cli/iqa_measures.h"
#include "cli/measured_picture.h"
#include "core/atomic_file.h"
#include "core/pipeline.h"
#include "core/processor.h"
#include "core/records.h"
#include "core/signals.h"
#include "image/vips.h"
#include "quality/niqe.h"
#include "weights/safetensors.h"

namespace sr {
namespace {

ProgramInfo info() {
  return {"sr-iqa fit-niqe",
          "fit NIQE's model of pristine pictures",
          "[OPTION]... IN... -o MODEL",
          "Fits the model of pristine pictures against which NIQE measures to pictures of your own, such as "
          "sharp ones of the field that the results come from, and writes it as a safetensors file, which "
          "sr-iqa takes in place of the published one. Only the sharp blocks of 96 by 96 pixels of each "
          "picture count. Some hundred of them are needed for a model that means something: of fewer than 37 "
          "the covariance is singular.\n"
          "\n"
          "The variant must be the one that scores are made with later; the file says which it was. Where a "
          "picture can't be read, or is smaller than a block, no model is written.",
          {{"sr-iqa fit-niqe -r pristine/ -o my-niqe.safetensors", "Fit to a folder of pictures."},
           {"sr-iqa fit-niqe --variant pyiqa --sharpness 0.6 *.png -o my-niqe.safetensors",
            "Fit for pyiqa's numbers, counting more blocks."}}};
}

/// The features of all inputs, in their order; nothing where one failed, which is told.
std::optional<std::vector<Tensor>> features_of(const std::vector<Input>& inputs, const FitNiqeConfig& config,
                                               int threads, Program& program) {
  const NiqeOptions options{niqe_variant(config.variant)};
  std::vector<Tensor> features(inputs.size());
  std::atomic<bool> failed = false;
  Stage stage([threads] { at::set_num_threads(threads); });
  Progress progress(program.log(), program.progress(), inputs.size());
  for_each_in_flight(inputs.size(), config.batch.jobs, [&](size_t i) {
    const Named names{shown(inputs[i].path, "standard input")};
    const bool done = attempt(program.log(), names, [&] {
      const auto image = JudgedPicture(load_values(inputs[i].path, config.max_pixels, program.log())).plain();
      stage.run([&] { features[i] = pristine_features(image, options, config.sharpness); });
    });
    if (!done) failed = true;
    progress.advance(1);
  });
  check_interrupted();
  return failed ? std::nullopt : std::optional(features);
}

std::int64_t rows_of(const std::vector<Tensor>& features) {
  std::int64_t rows = 0;
  for (const auto& part : features) rows += part.size(0);
  return rows;
}

void write_model(const StateDict& model, const FitNiqeConfig& config, size_t pictures, std::int64_t blocks) {
  write_safetensors(config.output, model,
                    {{"model", "NIQE, pristine pictures"},
                     {"variant", config.variant},
                     {"sharpness", number_text(config.sharpness)},
                     {"pictures", std::to_string(pictures)},
                     {"blocks", std::to_string(blocks)}});
}

}  // namespace

std::unique_ptr<Program> fit_niqe_program(FitNiqeConfig& config) {
  auto program = std::make_unique<Program>(info());
  add_input_options(*program, config.input);
  add_max_pixels_option(*program, config.max_pixels);
  program->app()
      .add_option("-o,--output", config.output, "Write the model to FILE (.safetensors)")
      ->type_name("FILE")
      ->group("Output");
  constexpr auto* group = "Model";
  program
      ->add_choice("--variant", config.variant, "basicsr|basicsr-gray|pyiqa|pyiqa-ycbcr",
                   "Whose NIQE the model is for (basicsr)")
      ->group(group);
  program
      ->add_number(
          "--sharpness", config.sharpness, 0, 1,
          "Count the blocks whose local contrast exceeds this share of the picture's sharpest (0.75)")
      ->type_name("SHARE")
      ->group(group);
  add_threads_option(*program, config.threads);
  add_batch_options(*program, config.batch);
  // models of parts can't be joined
  program->app().remove_option(program->app().get_option("--shard"));
  return program;
}

ExitStatus fit_niqe_model(Program& program, const FitNiqeConfig& config) {
  auto& log = program.log();
  if (config.output.empty() || is_stream(config.output))
    throw UsageError("name the file that the model goes to by -o");
  const int threads = threads_or_all(config.threads);
  const VipsSession vips(program.info().name.c_str(), threads);
  check_no_picture(config.output, "a model", "FILE.safetensors");
  needed_to_start([&] { const AtomicFile writable(config.output); });
  const auto inputs = find_inputs(config.input, log);
  for (const auto& missing : inputs.missing) log.error(missing);
  const auto& files = inputs.files;
  if (files.empty() && inputs.missing.empty()) throw UsageError("no picture found");
  const auto features = features_of(files, config, threads, program);
  if (!features || !inputs.missing.empty()) return ExitStatus::some_failed;
  const auto blocks = rows_of(*features);
  const auto model = fit_niqe(*features);
  if (blocks <= kNiqeFeatures) {
    log.warning(
        fmt::format("of {} sharp blocks the covariance is singular: scores will mean little", blocks));
  }
  write_model(model, config, files.size(), blocks);
  log.detail(
      fmt::format("{} sharp blocks of {} pictures -> {}", blocks, files.size(), printable(config.output)));
  return ExitStatus::ok;
}

}  // namespace sr
