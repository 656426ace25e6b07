#include "cli/degrade.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <optional>
#include <semaphore>

#include "cli/degrade_sheet.h"
#include "cli/recipe_book.h"
#include "cli/share.h"
#include "core/processor.h"
#include "degrade/apply.h"
#include "degrade/draw.h"
#include "degrade/interpolate.h"
#include "image/luma_rows.h"
#include "image/resized_rows.h"
#include "image/tensor_rows.h"
#include "image/vips.h"

namespace sr {
namespace {

// --- what to do --------------------------------------------------------------------------------------------

Pipeline find_pipeline(const DegradeConfig& config) {
  auto pipeline = read_pipeline(config.method, presets_folder());
  if (config.scale > 0) pipeline.scale = config.scale;
  if (pipeline.crop_to_scale && pipeline.scale != std::floor(pipeline.scale)) {
    throw UsageError(fmt::format("-s {}: {} takes whole scales", pipeline.scale, config.method));
  }
  for (const auto side : {config.crop, config.resize}) {
    if (pipeline.crop_to_scale && side % static_cast<std::int64_t>(pipeline.scale) != 0) {
      throw UsageError(
          fmt::format("--crop and --resize {}: no multiple of the scale {}", side, pipeline.scale));
    }
  }
  return pipeline;
}

void check(const DegradeConfig& config) {
  check_output_options(config.output);
  const bool paired = !config.pairs.empty();
  if (paired && !config.output.output.empty()) throw UsageError("give either --pairs or -o");
  if (!paired && (config.crop > 0 || config.resize > 0)) {
    throw UsageError("--crop and --resize make new HR pictures: give --pairs DIR, where they go too");
  }
  if (config.crop > 0 && config.resize > 0 && config.crop > config.resize) {
    throw UsageError("--crop is larger than what --resize leaves");
  }
  if (config.luma && (config.method != "bicubic" || paired || !config.replay.empty()))
    throw UsageError("--luma goes with -m bicubic -o alone");
  if (config.record == "-" && config.output.output == "-")
    throw UsageError("--record and -o would share standard output");
  if (!config.replay.empty() && (config.crop > 0 || config.resize > 0)) {
    throw UsageError(
        "--replay repeats the crops and sizes that were recorded: no --crop or --resize beside it");
  }
}

bool lies_in(const fs::path& file, const fs::path& folder) {
  const auto relative = file.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

/// Makes the folders of the trees; throws UsageError where an input lies in one, or is the record.
void check_places(const DegradeConfig& config, const Inputs& inputs) {
  std::vector<fs::path> trees;
  for (const auto* tree : {"gt", "lr", "sr_bicubic"}) {
    if (config.pairs.empty()) break;
    const auto folder = fs::path(config.pairs) / tree;
    const bool needed = std::string_view(tree) != "sr_bicubic" || path_exists(folder);
    if (needed) needed_to_start([&] { make_folders(folder); });
    trees.push_back(fs::weakly_canonical(folder));
  }
  const auto record =
      config.record.empty() || is_stream(config.record) ? fs::path() : fs::weakly_canonical(config.record);
  for (const auto& input : inputs.files) {
    if (is_stream(input.path)) continue;
    const auto path = fs::weakly_canonical(input.path);
    const auto inside =
        std::any_of(trees.begin(), trees.end(), [&](const auto& tree) { return lies_in(path, tree); });
    if (inside || path == record) {
      throw UsageError(
          fmt::format("{} is an input and would be overwritten by a result", printable(input.path.string())));
    }
  }
}

/// LR pictures are PNG unless something else is asked for: another format would degrade them once more.
OutputOptions output_options(const DegradeConfig& config) {
  auto output = config.output;
  if (!config.pairs.empty()) output.output = (fs::path(config.pairs) / "lr/").string();
  const bool named = Format::of_name(split_options(output.output).name).has_value();
  if (output.format.empty() && !named && output.output != "-") output.format = "png";
  return output;
}

/// Where the picture of a tree lies beside the job's LR picture.
fs::path in_tree(const DegradeConfig& config, const Job& job, const char* tree) {
  const fs::path root(config.pairs);
  return root / tree / job.target.lexically_relative(root / "lr");
}

fs::path hr_of(const DegradeConfig& config, const Job& job) {
  return config.pairs.empty() ? job.input.path : in_tree(config, job, "gt");
}

/// With those of the pictures that are written beside theirs.
std::vector<Job> with_trees(const DegradeConfig& config, std::vector<Job> jobs) {
  const auto count = config.pairs.empty() ? 0 : jobs.size();
  for (size_t i = 0; i < count; i++) {
    for (const auto* tree : {"gt", "sr_bicubic"})
      jobs.push_back({jobs[i].input, in_tree(config, jobs[i], tree), jobs[i].format});
  }
  return jobs;
}

void check_record(const DegradeConfig& config, const std::vector<Job>& jobs) {
  if (config.record.empty() || is_stream(config.record)) return;
  check_apart("--record", config.record, with_trees(config, jobs));
}

void check_sheet(const DegradeConfig& config, const std::vector<Job>& jobs) {
  if (config.contact_sheet.empty()) return;
  const auto file = sheet_file(config.contact_sheet).path;
  check_overview("--contact-sheet", file, with_trees(config, jobs));
  if (!config.record.empty() && is_same_place(config.record, file))
    throw UsageError(
        fmt::format("--record and --contact-sheet would both be written to {}", printable(file.string())));
  for (const auto& job : jobs) {
    if (is_stream(hr_of(config, job)))
      throw UsageError("--contact-sheet reads HR pictures again: not from standard input");
  }
}

// --- one picture -------------------------------------------------------------------------------------------

/// Nothing but MATLAB's shrinking, which streams: any size, transparency kept.
const Resize* plain_shrink(const Recipe& recipe) {
  const auto& cut = recipe.cut;
  const bool whole = cut.resize == 0 && !cut.flip && !cut.sharpen && cut.height == recipe.height &&
                     cut.width == recipe.width;
  if (!whole || recipe.steps.size() != 1) return nullptr;
  const auto* resize = std::get_if<Resize>(&recipe.steps.front().operation);
  return resize != nullptr && resize->mode == ResizeMode::matlab && resize->factor > 0 ? resize : nullptr;
}

/// The picture as [1,3,H,W]; degrading knows no transparency.
Tensor load_rgb(const Picture& picture, const OutputOptions& output, Log& log) {
  auto policy = AlphaPolicy::parse(output.alpha);
  if (picture.alpha && policy.kind == AlphaPolicy::Kind::keep) {
    log.warning(fmt::format("{}: transparency is dropped (see --alpha)", picture.name));
    policy.kind = AlphaPolicy::Kind::drop;
  }
  return decode(picture, policy).expand({3, -1, -1}).unsqueeze(0);
}

int most_at_once(const DegradeConfig& config, int threads) {
  return config.batch.jobs > 0 ? std::min(config.batch.jobs, threads) : threads;
}

/// Degrades pictures several at a time, each on a thread of its own: no operator has work for many threads.
class Degrader {
 public:
  Degrader(Program& program, const DegradeConfig& config, const OutputOptions& output, size_t pictures)
      : log_(program.log()),
        config_(config),
        output_(output),
        threads_(threads_or_all(config.threads)),
        at_once_(std::clamp(static_cast<int>(pictures), 1, most_at_once(config, threads_))),
        slots_(at_once_),
        stage_([this] { at::set_num_threads(threads_); }),
        recipes_(config.record) {
    if (config.replay.empty()) {
      pipeline_ = find_pipeline(config);
    } else {
      book_ = RecipeBook::read(config.replay);
    }
  }

  int at_once() const { return at_once_; }

  void run(const Job& job, Progress& progress) {
    const auto picture = open_picture(job.input.path, config_.max_pixels);
    const auto recipe = recipe_for(job, picture);
    check_size(picture.height(), picture.width(), recipe);
    const auto* shrink = plain_shrink(recipe);
    if (shrink != nullptr && config_.pairs.empty()) {
      auto rows = decode_rows(picture, alpha_policy(job, output_, picture, log_));
      if (config_.luma) rows = luma_rows(std::move(rows));
      rows = with_progress(scale_rows(std::move(rows), shrink->factor, {}, stage_), progress);
      encode(*rows, picture, job.target, encode_options(job, output_, picture));
    } else {
      degrade_whole(job, picture, recipe);
      progress.advance(1);
    }
    recipes_.add(recipe);
  }

  /// What lies there from an earlier run is recorded too.
  bool skip(const Job& job) {
    if (config_.record.empty()) return true;
    return attempt(log_, {shown(job.input.path, "standard input")},
                   [&] { recipes_.add(recipe_for(job, open_picture(job.input.path, config_.max_pixels))); });
  }

  void finish() { recipes_.finish(); }

 private:
  Recipe recipe_for(const Job& job, const Picture& picture) const {
    const auto name = job.input.relative.string();
    if (book_) {
      auto recipe = book_->of(name);
      recipe.image = name;
      return recipe;
    }
    const CutOptions cut{config_.crop, config_.resize, !config_.pairs.empty()};
    return draw_recipe(*pipeline_, {name, picture.height(), picture.width()}, cut,
                       static_cast<std::uint64_t>(config_.seed));
  }

  void degrade_whole(const Job& job, const Picture& picture, const Recipe& recipe) {
    auto hr = load_rgb(picture, output_, log_);
    Tensor lr, upscaled;
    in_slot([&] {
      hr = cut_hr(hr, recipe);
      lr = sr::degrade(hr, {&recipe, 1});
      if (recipe.upscaled) upscaled = interpolate_to(lr, hr.size(2), hr.size(3), Interpolation::bicubic);
    });
    // the LR picture last: where it is, the rest is too
    if (!config_.pairs.empty()) {
      write(hr, job, "gt", picture);
      if (recipe.upscaled) write(upscaled, job, "sr_bicubic", picture);
    }
    encode(*rows_of(lr[0]), picture, job.target, encode_options(job, output_, picture));
  }

  void write(const Tensor& image, const Job& job, const char* tree, const Picture& picture) const {
    const auto target = in_tree(config_, job, tree);
    make_folders(target.parent_path());
    encode(*rows_of(image[0]), picture, target, encode_options(job, output_, picture));
  }

  void in_slot(const std::function<void()>& work) {
    slots_.acquire();
    try {
      at::set_num_threads(std::max(1, threads_ / at_once_));
      const at::NoGradGuard no_grad;
      work();
    } catch (...) {
      slots_.release();
      throw;
    }
    slots_.release();
  }

  Log& log_;
  const DegradeConfig& config_;
  const OutputOptions& output_;
  int threads_, at_once_;
  std::counting_semaphore<> slots_;
  Stage stage_;
  std::optional<Pipeline> pipeline_;
  std::optional<RecipeBook> book_;
  RecipeLog recipes_;
};

}  // namespace

ExitStatus degrade(Program& program, DegradeConfig config) {
  check(config);
  const auto output = output_options(config);
  const VipsSession vips(program.info().name.c_str(), threads_or_all(config.threads));
  const auto inputs =
      find_inputs(config.input, program.log(), config.pairs.empty() ? output.output : config.pairs);
  check_places(config, inputs);
  Degrader degrader(program, config, output, inputs.files.size());
  if (config.batch.jobs == 0) config.batch.jobs = degrader.at_once() + 1;
  std::vector<Job> jobs;
  if (!config.record.empty() || !config.contact_sheet.empty())
    jobs = batch_jobs(inputs, output, config.batch);
  check_record(config, jobs);
  check_sheet(config, jobs);
  auto status = run_batch(
      program, inputs, output, config.batch,
      [&](const Job& job, Progress& progress) { degrader.run(job, progress); },
      [&](const Job& job) { return degrader.skip(job); });
  degrader.finish();
  const auto hr = [&](const Job& job) { return hr_of(config, job); };
  if (!config.contact_sheet.empty() &&
      !write_degrade_sheet(sheet_file(config.contact_sheet), jobs, hr, program.log()))
    status = ExitStatus::some_failed;
  return status;
}

}  // namespace sr
