#include "cli/features.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/feature_models.h"
#include "cli/measured_picture.h"
#include "cli/name_matches.h"
#include "cli/offers.h"
#include "cli/score_sheet.h"
#include "cli/tagged_files.h"
#include "core/pipeline.h"
#include "core/processor.h"
#include "core/signals.h"
#include "image/vips.h"

namespace sr {
namespace {

ProgramInfo info() {
  return {
      "sr-iqa features",
      "print what CLIP or a trained discriminator sees in pictures",
      "[OPTION]... IN... [-m MODEL]",
      "Prints a row of numbers for each picture: the features of a network, averaged over the picture, in "
      "columns f1, f2, ... sr-iqa tsne makes a map of such rows.\n"
      "\n"
      "MODEL is clip (OpenAI's RN50: the embedding, or one of its four layers by --layer), a "
      "discriminator that sr-train gan trained, or feat-d=FILE, SFD's. A discriminator is named by its "
      "run's folder (its newest checkpoint), by one of the run's checkpoints, or by a file of its own "
      "weights such as RealESRGAN_x4plus_netD.pth; where a run trained several, that of the GAN loss is "
      "meant, and feat-d=RUN means the other. Its features are what its last layer, which scores, is "
      "given. What --export-sfd wrote is taken too.\n"
      "\n"
      "Pictures are looked at whole. Discriminators that take some sizes only get the largest such part in "
      "the middle: sides that divide by 8 (U-Net) or by the semantics' stride (SeD), squares of the crop of "
      "the training (VGG-style). SeD's look at the semantics of the HR picture, by the extractor's published "
      "statistics; --hr says where the HR pictures are, of the same sizes and names: the whole name, else "
      "the name below the last slash, else that without its extension. Without --hr each picture's own "
      "semantics are taken, which is right for HR pictures. A file of weights alone doesn't tell whose "
      "semantics SeD's saw, nor its number of heads: CLIP's RN50 and one are taken.",
      {{"sr-iqa features -m clip --layer 3 HR/ SR/ > rows.tsv", "Print the means of CLIP's third layer."},
       {"sr-iqa features -m run/ --hr Urban100/HR Urban100/HR results/ | sr-iqa tsne > map.tsv",
        "Map what SeD's discriminator sees in real and in restored pictures (SeD Fig. 5)."},
       {"sr-iqa features -m feat-d=sfd/ HR/ SR/ | sr-iqa tsne > map.tsv",
        "The same for SFD's (SFD Fig. 9)."}}};
}

/// HR pictures by name.
class HrPictures {
 public:
  /// Throws UsageError where the folder holds none.
  HrPictures(const std::string& folder, Log& log) : folder_(folder) {
    InputOptions options;
    options.names = {folder};
    options.recursive = true;
    const auto inputs = find_inputs(options, log);
    if (!inputs.missing.empty()) throw UsageError("--hr: " + inputs.missing.front());
    if (inputs.files.empty()) throw UsageError(fmt::format("--hr: {}: no picture found", printable(folder)));
    for (const auto& file : inputs.files) {
      files_.push_back(file.path);
      index_.add(file.relative.string());
    }
  }

  /// Throws Error where there is none, or are several.
  const fs::path& of(const Input& input) const {
    const auto places = index_.places(input.relative.string());
    if (places.size() != 1)
      throw Error(fmt::format("{} has {} of its name", printable(folder_),
                              places.empty() ? "no HR picture" : "several HR pictures"));
    return files_[places.front()];
  }

 private:
  std::string folder_;
  std::vector<fs::path> files_;
  NameIndex index_;
};

ScoreTableLayout layout_of(const FeaturesConfig& config, const FeatureModel& model) {
  ScoreTableLayout layout{{"file"}, {}, {{"model", model.about}}};
  layout.format = config.json ? TableFormat::json : TableFormat::tsv;
  layout.header = !config.no_header;
  if (config.no_header && !config.json) layout.facts.clear();
  for (std::int64_t i = 1; i <= model.features; ++i)
    layout.columns.push_back({fmt::format("f{}", i), std::nullopt});
  return layout;
}

Scores row_of(const Tensor& features) {
  if (!features.isfinite().all().item<bool>()) throw Error("its features are no finite numbers");
  Scores row;
  const auto* values = features.data_ptr<float>();
  for (std::int64_t i = 0; i < features.numel(); ++i) row.emplace_back(short_number(values[i]));
  return row;
}

std::vector<std::string> names_of(const std::vector<Input>& files) {
  std::vector<std::string> names;
  for (const auto& file : files) names.push_back(row_name(file));
  return names;
}

/// Whether every file has a row.
bool write_rows(Program& program, const FeaturesConfig& config, const std::vector<Input>& files,
                const FeatureModel& model, const std::optional<HrPictures>& hr) {
  auto& log = program.log();
  ScoreTable table(stdout, "standard output", layout_of(config, model));
  ScoreSheet sheet(table, names_of(files), static_cast<size_t>(model.features));
  Progress progress(log, program.progress(), files.size());
  const auto image = [&](const fs::path& path) {
    return image_of(load_values(path, config.max_pixels, log));
  };
  const auto workers = share_threads(files.size(), threads_or_all(config.threads), config.batch.jobs);
  for_each_in_flight(files.size(), workers.count, [&](size_t i) {
    at::set_num_threads(workers.threads_each);
    const at::NoGradGuard no_grad;
    std::optional<Scores> row;
    attempt(log, {shown(files[i].path, "standard input")}, [&] {
      const Tensor picture = image(files[i].path);
      row = row_of(model.row(picture, hr ? image(hr->of(files[i])) : picture));
    });
    sheet.put(i, std::move(row));
    progress.advance(1);
  });
  check_interrupted();
  table.finish();
  return sheet.complete();
}

}  // namespace

std::unique_ptr<Program> features_program(FeaturesConfig& config) {
  auto program = std::make_unique<Program>(info());
  auto& app = program->app();
  add_input_options(*program, config.input);
  add_max_pixels_option(*program, config.max_pixels);
  app.add_option("--hr", config.hr, "Take the semantics for SeD's discriminators from the HR pictures in DIR")
      ->type_name("DIR")
      ->group("Input");
  constexpr auto* group = "Model";
  app.add_option("-m,--model", config.model,
                 "clip, a discriminator (a run's folder, its checkpoint, weights), or feat-d=FILE (clip)")
      ->type_name("MODEL")
      ->group(group);
  program->offer("--model", models_of("discriminator", {"clip"}));
  program->add_choice("--layer", config.layer, "1|2|3|4|embedding", "Of clip (embedding)")->group(group);
  add_weights_option(*program, config.weights);
  app.add_flag("--json", config.json, "A JSON object a line")->group("Output");
  app.add_flag("--no-header", config.no_header, "No lines above the rows")->group("Output");
  add_threads_option(*program, config.threads);
  add_batch_options(*program, config.batch);
  return program;
}

ExitStatus print_features(Program& program, const FeaturesConfig& config) {
  auto& log = program.log();
  const int threads = threads_or_all(config.threads);
  at::set_num_threads(threads);
  const VipsSession vips(program.info().name.c_str(), threads);
  auto inputs = find_inputs(config.input, log);
  if (inputs.files.empty() && inputs.missing.empty()) throw UsageError("no picture found");
  for (const auto& missing : inputs.missing) log.error(missing);
  const auto files = shard_of(std::move(inputs.files), config.batch.shard);
  WeightsSource source(config.weights);
  const auto model = make_feature_model(config.model, config.layer, source);
  std::optional<HrPictures> hr;
  if (!config.hr.empty()) {
    if (!model.semantic) throw UsageError("--hr goes with a discriminator of SeD");
    hr.emplace(config.hr, log);
  }
  const bool all = write_rows(program, config, files, model, hr);
  return all && inputs.missing.empty() ? ExitStatus::ok : ExitStatus::some_failed;
}

}  // namespace sr
