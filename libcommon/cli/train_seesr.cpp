#include "cli/train_seesr.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>

#include "cli/offers.h"
#include "core/error.h"
#include "core/files.h"
#include "core/records.h"
#include "training/seesr_plan.h"

namespace sr {
namespace {

constexpr auto *kModel = "Model", *kData = "Data", *kOutput = "Output";

std::string lr_of(const fs::path& folder) {
  for (const auto* name : {"sr_bicubic", "lr"}) {
    if (is_folder(folder / name)) return (folder / name).string();
  }
  throw UsageError(
      fmt::format("{}: there is gt/, and neither sr_bicubic/ nor lr/", printable(folder.string())));
}

/// Whether the folders of --data have one of that name in them. Throws UsageError where some have, and others
/// have not.
bool all_have(const std::vector<std::string>& folders, const char* name) {
  const auto has = [&](const fs::path& folder) { return is_folder(folder / name); };
  const auto lacking = std::ranges::find_if_not(folders, has);
  if (lacking == folders.end()) return true;
  if (std::ranges::none_of(folders, has)) return false;
  throw UsageError(fmt::format("--data: {} has no {}/, and other folders have: all must, or none",
                               printable(*lacking), name));
}

/// Empty where there is none.
fs::path file_of(const std::string& weights, const WeightsSource& source) {
  try {
    return source.find(weights);
  } catch (const UsageError&) {
    return {};
  }
}

}  // namespace

ProgramInfo seesr_info(const std::string& kept_runs) {
  return {
      "sr-train seesr",
      "train SeeSR's ControlNet and its cross-attention over DAPE's embeddings",
      "--config seesr -o RUN --data DIR... [OPTION]...",
      "Beside a frozen Stable Diffusion 2 base, a ControlNet that is shown the degraded picture and "
      "SeeSR's representation cross-attention learn to tell the noise in latents of the sharp one. The "
      "settings are the preset seesr, or a .toml file that may extend it. --set changes any of them.\n\n" +
          kept_runs +
          "Folders of --data with gt/, sr_bicubic/ or lr/, and tag/ in them hold pairs as SeeSR prepares "
          "them (sr-degrade --pairs, and a text of tags of each sharp picture): all do, or none. In others, "
          "HR pictures are cropped and degraded on the fly. Without tags RAM names what the sharp crop "
          "shows. Of --validate the first pictures (validation.pictures) are made anew each time as "
          "sr-diffuse would, in few steps (validation.steps) and by the same noise; RUN keeps them.",
      {{"sr-train seesr --config seesr --data LSDIR --validate Set5/HR -o run/", "Train as SeeSR does."},
       {"sr-train seesr --config seesr --data pairs/ -o run/", "From pairs that were made before."},
       {"sr-train seesr -o run/ --resume --export seesr/", "Write unet/ and controlnet/ for sr-diffuse."}}};
}

void add_seesr_options(Program& program, TrainOptions& options) {
  auto& app = program.app();
  app.add_option("--sd", options.sd,
                 "Stable Diffusion 2 base in diffusers' layout (the settings': stable-diffusion-2-base)")
      ->type_name("DIR")
      ->group(kModel);
  app.add_option("--dape", options.dape, "DAPE's checkpoint, which is laid over RAM (the settings': dape)")
      ->type_name("NAME|FILE")
      ->group(kModel);
  program.offer("--dape", models_of("tagger"));
  app.add_option(
         "--start", options.start,
         "A folder of SeeSR's unet/ and controlnet/ to begin with, in place of Stable Diffusion's U-Net")
      ->type_name("DIR")
      ->group(kModel);
  app.add_option("--tags", options.tags, "Folders of captions, NAME.txt each, one folder for each of --data")
      ->type_name("DIR")
      ->group(kData);
  app.add_option(
         "--cache", options.cache,
         "Keep in DIR what the frozen networks say of texts, and of pictures of the crop's size; runs "
         "may share it")
      ->type_name("DIR")
      ->group(kData);
  app.add_flag(
         "--print-plan", options.print_plan,
         "Print what a step of one picture needs of memory (GB by part, with and without checkpointing), "
         "and train nothing")
      ->group(kOutput);
  app.add_option("--export", options.result,
                 "At the end write unet/ and controlnet/ (averaged weights, if there are) into DIR")
      ->type_name("DIR")
      ->group(kOutput);
}

void print_seesr_plan(const SeesrConfig& config, const Arithmetic& arithmetic, WeightsSource& source) {
  constexpr double kGigabyte = 1e9;
  const auto ram = file_of(config.ram, source);
  const auto parts = needed_to_start([&] {
    const auto size = ram.empty() ? RamConfig{} : make_ram(source.load(ram.string()))->config();
    return seesr_memory_plan(config, arithmetic, size);
  });
  RecordWriter writer(stdout, "standard output",
                      {{"part", "parameters", "gb", "gb_checkpointing"},
                       {{"batch", "1"},
                        {"crop", std::to_string(config.data.crop)},
                        {"ram", ram.empty() ? "the official one's size" : ram.string()}}});
  for (const auto& part : parts) {
    writer.write({part.name, static_cast<std::int64_t>(part.numbers), part.bytes / kGigabyte,
                  part.checkpointing_bytes / kGigabyte});
  }
}

TrainOptions with_pair_folders(TrainOptions options) {
  if (options.hr.empty() || !options.lr.empty() || !all_have(options.hr, "gt")) return options;
  const bool tagged = options.tags.empty() && all_have(options.hr, "tag");
  for (auto& name : options.hr) {
    const fs::path folder = name;
    options.lr.push_back(lr_of(folder));
    if (tagged) options.tags.push_back((folder / "tag").string());
    name = (folder / "gt").string();
  }
  return options;
}

}  // namespace sr
