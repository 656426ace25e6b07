#include "cli/train.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/computing.h"
#include "cli/offers.h"
#include "cli/outputs.h"
#include "cli/share.h"
#include "cli/train_seesr.h"
#include "cli/weights_source.h"
#include "core/atomic_file.h"
#include "core/memory.h"
#include "core/presets.h"
#include "core/processor.h"
#include "image/vips.h"
#include "infer/device.h"
#include "training/dape_trainer.h"
#include "training/picture_files.h"
#include "training/run.h"
#include "training/seesr_trainer.h"
#include "training/trainer.h"
#include "weights/safetensors.h"

namespace sr {
namespace {

constexpr int kLevels = 3;  // of tables in which single settings are changed

// --- settings ----------------------------------------------------------------------------------------------

std::string toml_texts(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const auto& text : texts) quoted.push_back(toml_text(text));
  return fmt::format("[{}]", fmt::join(quoted, ", "));
}

/// A setting as `option` gives it.
TomlValue change(const std::string& option, const std::string& key, const std::string& value) {
  return TomlValue::of_option(fmt::format("{} = {}", key, value), option);
}

/// "loss.gan.weight=0.1"; what is no TOML value is a text.
TomlValue parse_change(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw UsageError(fmt::format("--set: '{}' is not KEY=VALUE", text));
  const auto key = text.substr(0, equals), value = text.substr(equals + 1), option = "--set " + key;
  try {
    return change(option, key, value);
  } catch (const UsageError&) {
    return change(option, key, toml_text(value));
  }
}

bool trains_dape(const std::string& kind) { return kind == "dape"; }
bool trains_seesr(const std::string& kind) { return kind == "seesr"; }

/// What --start sets.
std::string start_setting(const std::string& kind) {
  return trains_dape(kind) ? "dape.ram" : trains_seesr(kind) ? "seesr.start" : "generator.start";
}

/// The settings file under what the command line says.
TomlValue resolved(const TrainOptions& options) {
  const auto kept = fs::path(options.run) / "config.toml";
  const Presets presets(presets_folder(), "train", kLevels);
  if (options.settings.empty() && !(options.resume && path_exists(kept)))
    throw UsageError("--config must name a preset or a .toml file (or --resume a run that has one)");
  auto settings =
      options.settings.empty() ? TomlValue::read(kept) : presets.read(presets.find(options.settings));
  const auto overlay = [&](const TomlValue& value) { settings = settings.overlaid(value, kLevels); };
  const auto set = [&](const char* option, const std::string& key, const std::string& value) {
    overlay(change(option, key, value));
  };
  if (!options.hr.empty()) set("--data", "data.hr", toml_texts(options.hr));
  if (!options.lr.empty()) set("--lr", "data.lr", toml_texts(options.lr));
  if (!options.tags.empty()) set("--tags", "data.tags", toml_texts(options.tags));
  if (!options.sd.empty()) set("--sd", "seesr.sd", toml_text(options.sd));
  if (!options.dape.empty()) set("--dape", "seesr.dape", toml_text(options.dape));
  if (!options.cache.empty()) set("--cache", "seesr.cache", toml_text(options.cache));
  if (!options.validation.empty()) set("--validate", "validation.hr", toml_texts(options.validation));
  if (!options.start.empty()) set("--start", start_setting(options.kind), toml_text(options.start));
  if (options.iterations) set("--iterations", "iterations", std::to_string(*options.iterations));
  if (options.batch) set("--batch", "data.batch", std::to_string(*options.batch));
  if (options.crop) set("--crop", "data.crop", std::to_string(*options.crop));
  if (options.seed) set("--seed", "seed", std::to_string(*options.seed));
  for (const auto& text : options.changes) overlay(parse_change(text));
  return settings;
}

void check_kind(const TrainOptions& options, const TomlValue& settings) {
  const bool dape = is_dape_config(settings), seesr = is_seesr_config(settings);
  if (dape && !trains_dape(options.kind)) throw UsageError("these settings train DAPE: sr-train dape");
  if (seesr && !trains_seesr(options.kind)) throw UsageError("these settings train SeeSR: sr-train seesr");
  if ((!dape && trains_dape(options.kind)) || (!seesr && trains_seesr(options.kind)))
    throw UsageError(fmt::format("these settings have no table [{}]: sr-train psnr or gan", options.kind));
}

void check_data(const DataConfig& data) {
  if (data.sources.empty()) throw UsageError("--data must name folders of HR pictures");
}

/// True where only a discriminator or CLIP judges what the network learns.
bool needs_gan(const LossConfig& loss) { return loss.adversarial() || loss.clipiqa; }

TrainConfig checked_config(const TrainOptions& options, const TomlValue& settings) {
  auto config = read_train_config(settings);
  config.data.presets = presets_folder();
  if (options.kind == "psnr" && needs_gan(config.loss))
    throw UsageError("these settings train against a discriminator: sr-train gan");
  if (options.kind == "gan" && !needs_gan(config.loss))
    throw UsageError("these settings have no adversarial loss: sr-train psnr");
  check_data(config.data);
  return config;
}

/// The command that trains by these settings.
std::string kind_of(const TomlValue& settings) {
  if (is_dape_config(settings)) return "dape";
  if (is_seesr_config(settings)) return "seesr";
  return needs_gan(read_train_config(settings).loss) ? "gan" : "psnr";
}

std::vector<std::string> presets_that_train(const std::string& kind) {
  const Presets presets(presets_folder(), "train", kLevels);
  auto names = presets.names();
  std::erase_if(names, [&](const auto& name) { return kind_of(presets.read(presets.find(name))) != kind; });
  return names;
}

template <class Config>
Config checked(Config config) {
  config.data.presets = presets_folder();
  check_data(config.data);
  return config;
}

Arithmetic arithmetic_of(const ComputeOptions& options) {
  const auto device = parse_device(options.device);
  const auto type = choose_type(engine_options(options).precision, device);
  // gradients would vanish in float16: losses aren't scaled here
  return {device, type == at::kHalf ? at::kFloat : type};
}

// --- results -----------------------------------------------------------------------------------------------

void write_result(const fs::path& path, const StateDict& tensors, at::ScalarType type) {
  StateDict copies;
  for (const auto& [name, tensor] : tensors) {
    const bool number = tensor.is_floating_point();
    copies[name] = number ? tensor.to(at::kCPU, type) : tensor.to(at::kCPU);
  }
  write_safetensors(path, copies);
}

void write_results(const TrainOptions& options, const Trainer& trainer) {
  if (!options.result.empty()) {
    const auto type = options.result_precision == "fp16" ? at::kHalf : at::kFloat;
    write_result(options.result, trainer.result(), type);
  }
  if (options.sfd_result.empty()) return;
  write_result(options.sfd_result, trainer.sfd_result(), at::kFloat);
}

/// Tells before the training what could not be written after it.
void check_places(const TrainOptions& options) {
  needed_to_start([&] {
    make_folders(options.run);
    const AtomicFile writable(fs::path(options.run) / "config.toml");
    if (trains_seesr(options.kind)) return make_folders(options.result);
    for (const auto& file : {options.result, options.sfd_result}) {
      if (file.empty()) continue;
      check_no_picture(file, "a model", "FILE.safetensors");
      const AtomicFile also(file);
    }
  });
}

void check_sfd(const TrainOptions& options, const Trainer& trainer) {
  if (!options.sfd_result.empty() && trainer.sfd_result().empty())
    throw UsageError("--export-sfd: these settings train neither Feat-D nor prompts");
}

// --- runs --------------------------------------------------------------------------------------------------

/// The machine, and what all kinds of runs are told of it.
struct Session {
  /// Throws UsageError for files of `data` that are missing, before anything is loaded.
  Session(Program& program, const TrainOptions& options, const DataConfig& data)
      : threads(started(options.compute)), vips("sr-train", threads), log(program.log()) {
    for (const auto& source : data.sources) find_files(source, data.scale);
    arithmetic = arithmetic_of(options.compute);
    const auto ranks = ranks_of_environment();
    if (arithmetic.device.is_cuda() && ranks.count > 1)
      arithmetic.device = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(ranks.local));
    if (ranks.count > 1) run.group = &group.emplace(ranks, arithmetic.device);
    run.folder = options.run;
    run.resume = options.resume;
    run.progress = program.progress();
  }
  bool writes() const { return run.group == nullptr || run.group->rank() == 0; }

  int threads;
  VipsSession vips;
  Log& log;
  Arithmetic arithmetic;
  std::optional<ProcessGroup> group;
  RunOptions run;

 private:
  static int started(const ComputeOptions& compute) {
    const int threads = threads_or_all(compute.threads);
    at::set_num_threads(threads);
    keep_freed_memory();
    return threads;
  }
};

/// `source` must outlive it.
TrainingWeights weights_of(WeightsSource& source) {
  return {[&source](const std::string& name) { return source.load(name); },
          [&source](const std::string& name) { return source.find(name); }};
}

/// Finds the pictures, and loads what measures them; null where this process validates nothing.
template <class Config>
std::shared_ptr<const Validation> validation_of(const Config& config, const TrainingWeights& weights,
                                                const Session& session) {
  if (!session.writes() || !config.validation.wanted()) return nullptr;
  return std::make_shared<const Validation>(config.validation, config.data.scale, weights);
}

void validate_with(std::shared_ptr<const Validation> validation, const ValidationConfig& config,
                   Validation::Enhance enhanced, RunOptions& run) {
  if (config.wanted()) run.validate_every = config.every;
  if (!validation) return;
  run.validate = [validation = std::move(validation), enhanced = std::move(enhanced)](
                     const fs::path& samples) { return validation->run(enhanced, samples); };
}

void run(Trainable& trainer, const RunConfig& config, const TrainOptions& options, const TomlValue& settings,
         const Session& session) {
  if (session.writes()) check_places(options);
  run_training(trainer, config, settings.document(), session.run, session.log);
}

void train_generator(Program& program, const TrainOptions& options, const TomlValue& settings) {
  const auto config = checked_config(options, settings);
  Session session(program, options, config.data);
  WeightsSource source(options.weights);
  const auto weights = weights_of(source);
  Trainer trainer(config, session.arithmetic, weights, session.run.group);
  check_sfd(options, trainer);
  validate_with(
      validation_of(config, weights, session), config.validation,
      [&](const Tensor& lr, const std::string& /*name*/) { return trainer.enhanced(lr); }, session.run);
  run(trainer, config, options, settings, session);
  if (session.writes()) write_results(options, trainer);
}

void train_dape(Program& program, const TrainOptions& options, const TomlValue& settings) {
  const auto config = checked(read_dape_config(settings));
  Session session(program, options, config.data);
  std::optional<WeightsSource> source(options.weights);
  DapeTrainer trainer(config, session.arithmetic, weights_of(*source), session.run.group);
  source.reset();  // RAM's file holds five times what is kept of it
  run(trainer, config, options, settings, session);
  if (session.writes() && !options.result.empty()) write_result(options.result, trainer.result(), at::kFloat);
}

/// `config` with the folders of its models found.
SeesrConfig found(SeesrConfig config, const WeightsSource& source) {
  config.sd = source.find_folder(config.sd).string();
  if (!config.start.empty()) config.start = source.find_folder(config.start).string();
  return config;
}

void plan_seesr(const TrainOptions& options, const TomlValue& settings) {
  at::set_num_threads(threads_or_all(options.compute.threads));
  auto arithmetic = arithmetic_of(options.compute);
  arithmetic.device = at::kCPU;
  WeightsSource source(options.weights);
  print_seesr_plan(found(read_seesr_config(settings), source), arithmetic, source);
}

void train_seesr(Program& program, const TrainOptions& options, const TomlValue& settings) {
  auto config = checked(read_seesr_config(settings));
  Session session(program, options, config.data);
  std::optional<WeightsSource> source(options.weights);
  config = found(std::move(config), *source);
  needed_to_start([&] { make_folders(config.cache); });
  auto validation = validation_of(config, weights_of(*source), session);
  SeesrTrainer trainer(config, session.arithmetic, needed_to_start([&] {
                         return load_seesr_parts(config, session.arithmetic, weights_of(*source));
                       }),
                       session.run.group);
  source.reset();  // RAM's file holds five times what is kept of it
  validate_with(
      std::move(validation), config.validation,
      [&](const Tensor& lr, const std::string& name) { return trainer.enhanced(lr, name); }, session.run);
  run(trainer, config, options, settings, session);
  if (session.writes() && !options.result.empty()) write_seesr(options.result, config, trainer.result());
}

// --- options -----------------------------------------------------------------------------------------------

constexpr auto *kSettings = "Settings", *kData = "Data", *kOutput = "Output";

/// What is the same of all kinds.
const char* const kRunsAreKept =
    "RUN gets config.toml with the settings as they were used, log.ndjson, and checkpoints, which "
    "appear when they are complete. A run may be stopped at any moment, by any signal: "
    "--resume goes on from the last checkpoint, and ends with the same bits (float32 on the CPU, as many "
    "threads) as a run that was never stopped. SIGINT and SIGTERM leave a checkpoint first.\n"
    "\n"
    "Started by torchrun --no-python, or srun, as several processes, they train together: each has its "
    "share of the batch, and the losses are those of one.\n"
    "\n";

ProgramInfo info(const std::string& kind) {
  const bool gan = kind == "gan";
  return {"sr-train " + kind,
          gan ? "train a network against discriminators" : "train a network for fidelity",
          "--config PRESET -o RUN --data DIR... [OPTION]...",
          std::string("Trains as the settings say: a preset (share/presets/train-*.toml), or a .toml file "
                      "that may extend one. --set changes any of them.\n\n") +
              kRunsAreKept +
              "HR pictures are cropped, turned, and degraded on the fly; with --lr the pictures of the same "
              "names there are their LR halves. RUN/samples keeps results of "
              "each validation, and a sheet of them between LR and HR pictures.",
          {{fmt::format("sr-train {} --config {} --data DF2K/HR --validate Set5/HR -o run/", kind,
                        gan ? "sed-p" : "srvgg"),
            "Train by a preset."},
           {fmt::format("sr-train {} -o run/ --resume", kind), "Go on after it was stopped."},
           {fmt::format("sr-train {} -o run/ --resume --export model.safetensors", kind),
            "Write the network for sr-upscale -m."}}};
}

ProgramInfo dape_info() {
  return {
      "sr-train dape",
      "train DAPE, which tags degraded pictures, from RAM",
      "--config dape -o RUN --data DIR... [OPTION]...",
      std::string("LoRA beside RAM learns to say of degraded pictures what RAM says of the sharp ones, as "
                  "SeeSR has it: the settings are the preset dape, or a .toml file that may extend it. "
                  "--set changes any of them.\n\n") +
          kRunsAreKept +
          "HR pictures are resized to a square as a whole and degraded on the fly; with --lr the pictures "
          "of the same names there, of any size, are their degraded halves (gt/ and sr_bicubic/ of "
          "sr-degrade --pairs).",
      {{"sr-train dape --config dape --data COCO/train2017 -o run/", "Train as SeeSR does."},
       {"sr-train dape --config dape --data pairs/gt --lr pairs/sr_bicubic -o run/",
        "From pairs that were made before."},
       {"sr-train dape -o run/ --resume --export DAPE.safetensors", "Write DAPE's file."}}};
}

void add_settings_options(Program& program, TrainOptions& options) {
  auto& app = program.app();
  const bool dape = trains_dape(options.kind), seesr = trains_seesr(options.kind);
  app.set_config();  // --config is of the settings here
  app.add_option("--config", options.settings,
                 "A preset's name, or a .toml file; with --resume: the run's own")
      ->type_name("NAME|FILE")
      ->group(kSettings);
  program.offer("--config", {[kind = options.kind] { return presets_that_train(kind); }, {"toml"}});
  app.add_option("--set", options.changes,
                 fmt::format("Change a setting, such as {}; may be repeated",
                             dape || seesr ? "optimiser.rate=5e-5" : "loss.gan.weight=0.1"))
      ->type_name("KEY=VALUE")
      ->group(kSettings);
  app.add_option("--iterations", options.iterations, "Train so many iterations in all")
      ->type_name("N")
      ->group(kSettings);
  app.add_option("--batch", options.batch, "Pictures an iteration, of all processes together")
      ->type_name("N")
      ->group(kSettings);
  app.add_option(
         "--crop", options.crop,
         dape ? "Side in pixels that whole pictures are resized to" : "Side of the crops in HR pixels")
      ->type_name("N")
      ->group(kSettings);
  app.add_option("--seed", options.seed, "What everything random comes from")
      ->type_name("N")
      ->group(kSettings);
  if (seesr) return;
  app.add_option("--start", options.start,
                 dape ? "RAM's checkpoint: the teacher, and what the student begins as"
                      : "A checkpoint that the network begins with")
      ->type_name("NAME|FILE")
      ->group(kSettings);
  program.offer("--start", models_of(dape ? "tagger" : "network"));
}

void add_data_options(CLI::App& app, TrainOptions& options) {
  app.add_option("--data", options.hr, "Folders of HR pictures, descended")->type_name("DIR")->group(kData);
  app.add_option("--lr", options.lr, "Folders of their LR halves, one for each of --data")
      ->type_name("DIR")
      ->group(kData);
  if (trains_dape(options.kind)) return;
  app.add_option("--validate", options.validation, "Folders of HR pictures to validate with")
      ->type_name("DIR")
      ->group(kData);
}

void add_output_options(Program& program, TrainOptions& options) {
  const bool dape = trains_dape(options.kind);
  auto& app = program.app();
  app.add_option("-o,--output", options.run, "The run's folder")->type_name("RUN")->group(kOutput);
  app.add_flag("--resume", options.resume, "Go on from the run's last checkpoint, if it has one")
      ->group(kOutput);
  if (trains_seesr(options.kind)) return;
  app.add_option("--export", options.result,
                 dape ? "At the end write DAPE, as its official file has it, to FILE"
                      : "At the end write the generator (averaged weights) to FILE")
      ->type_name("FILE.safetensors")
      ->group(kOutput);
  if (dape) return;
  program.add_choice("--export-precision", options.result_precision, "fp16|fp32", "Of --export (fp16)")
      ->group(kOutput);
  app.add_option("--export-sfd", options.sfd_result,
                 "At the end write Feat-D and the prompts for sr-iqa to FILE")
      ->type_name("FILE.safetensors")
      ->group(kOutput);
}

}  // namespace

std::unique_ptr<Program> train_program(const std::string& kind, TrainOptions& options) {
  options.kind = kind;
  auto program = std::make_unique<Program>(trains_dape(kind)    ? dape_info()
                                           : trains_seesr(kind) ? seesr_info(kRunsAreKept)
                                                                : info(kind));
  add_settings_options(*program, options);
  add_data_options(program->app(), options);
  add_output_options(*program, options);
  if (trains_seesr(kind)) add_seesr_options(*program, options);
  add_weights_option(*program, options.weights);
  add_compute_options(*program, options.compute, "auto|fp32|bf16");
  return program;
}

ExitStatus train(Program& program, const TrainOptions& options) {
  if (options.run.empty() && !options.print_plan) throw UsageError("-o must name the run's folder");
  const auto settings = resolved(trains_seesr(options.kind) ? with_pair_folders(options) : options);
  check_kind(options, settings);
  if (options.print_plan) {
    plan_seesr(options, settings);
  } else if (trains_seesr(options.kind)) {
    train_seesr(program, options, settings);
  } else if (trains_dape(options.kind)) {
    train_dape(program, options, settings);
  } else {
    train_generator(program, options, settings);
  }
  return ExitStatus::ok;
}

}  // namespace sr
