#include "cli/diffuse.h"

#include <algorithm>
#include <fmt/format.h>

#include "cli/diffuse_plan.h"
#include "cli/diffuse_setup.h"
#include "cli/embedding_files.h"
#include "cli/measured_picture.h"
#include "core/processor.h"
#include "core/signals.h"
#include "degrade/pil_resize.h"
#include "diffusion/colour_fix.h"
#include "diffusion/process_size.h"
#include "image/tensor_rows.h"
#include "image/vips.h"
#include "infer/device.h"
#include "weights/safetensors.h"

namespace sr {
namespace {

// --- what is to be done ----------------------------------------------------------------------------

/// One picture, and where each of its results goes.
struct Task {
  Job job;  ///< of the first sample
  std::vector<fs::path> targets;
  std::vector<fs::path> latents;  ///< where they are saved
};

/// "out/photo.png" -> "out/photo-2.png".
fs::path sample_target(const fs::path& target, int sample) {
  const auto name = fmt::format("{}-{}{}", target.stem().string(), sample, target.extension().string());
  return target.parent_path() / name;
}

std::vector<fs::path> sample_targets(const fs::path& target, int samples) {
  if (samples == 1) return {target};
  if (is_stream(target)) throw UsageError("--samples: several results don't go to standard output");
  std::vector<fs::path> targets;
  for (int i = 1; i <= samples; ++i) targets.push_back(sample_target(target, i));
  return targets;
}

/// NAME.safetensors for each result, below the folder; none are saved without one.
std::vector<fs::path> latents_targets(const Input& input, const std::vector<fs::path>& targets,
                                      const std::string& folder) {
  std::vector<fs::path> latents;
  if (folder.empty()) return latents;
  for (const auto& target : targets) {
    const auto stem = is_stream(target) ? input.relative.stem() : target.stem();
    latents.push_back(fs::path(folder) / input.relative.parent_path() / (stem.string() + ".safetensors"));
  }
  return latents;
}

/// Each result and each file of latents must have a place of its own, which is no input.
void check_places(const std::vector<Task>& tasks) {
  std::vector<Job> written;
  for (const auto& task : tasks) {
    for (const auto* places : {&task.targets, &task.latents}) {
      for (const auto& place : *places) written.push_back({task.job.input, place, task.job.format});
    }
  }
  check_targets(written);
}

void make_latents_folders(const std::vector<Task>& tasks) {
  for (const auto& task : tasks) {
    for (const auto& file : task.latents) needed_to_start([&] { make_folders(file.parent_path()); });
  }
}

/// Pictures whose results aren't all there yet.
std::vector<Task> plan_tasks(const Inputs& inputs, const DiffuseConfig& config) {
  std::vector<Task> tasks;
  for (auto& job : plan_outputs(inputs, config.output)) {
    auto targets = sample_targets(job.target, config.samples);
    auto latents = latents_targets(job.input, targets, config.save_latents);
    tasks.push_back({std::move(job), std::move(targets), std::move(latents)});
  }
  check_places(tasks);
  tasks = shard_of(std::move(tasks), config.shard);
  make_latents_folders(tasks);
  if (config.output.skip_existing)
    std::erase_if(tasks, [](const Task& task) { return std::ranges::all_of(task.targets, path_exists); });
  return tasks;
}

// --- a picture on its way --------------------------------------------------------------------------

/// A picture with what the networks are told of it.
struct Subject {
  Task task;
  Picture picture;  ///< its pixels are read
  Tensor values;    ///< colours as load_values() has them
  Tensor alpha;     ///< [1,1,H,W]; undefined: opaque
  PictureSemantics semantics;
  Tensor text;  ///< [1 or 2,77,features]
};

Named names_of(const Task& task) {
  return {shown(task.job.input.path, "standard input"), shown(task.job.target, "standard output")};
}

Subject load_subject(const Task& task, const DiffuseConfig& config, Log& log) {
  Subject subject{.task = task,
                  .picture = open_picture(task.job.input.path, config.max_pixels),
                  .values = {},
                  .alpha = {},
                  .semantics = {},
                  .text = {}};
  const auto planes = decode(subject.picture, alpha_policy(task.job, config.output, subject.picture, log));
  const int64_t colours = planes.size(0) < 3 ? 1 : 3;
  subject.values = values_of(planes.slice(0, 0, colours), subject.picture.depth);
  if (planes.size(0) > colours) subject.alpha = planes.slice(0, colours).unsqueeze(0);
  return subject;
}

/// The subjects of which `work` succeeds; whether those were all.
bool keep_successful(std::vector<Subject>& subjects, Log& log, const std::function<void(Subject&)>& work) {
  std::vector<Subject> kept;
  const size_t before = subjects.size();
  for (auto& subject : subjects) {
    check_interrupted();
    if (attempt(log, names_of(subject.task), [&] { work(subject); })) kept.push_back(std::move(subject));
  }
  subjects = std::move(kept);
  return subjects.size() == before;
}

void check_steps(const DdpmScheduler& scheduler, const SeesrOptions& options) {
  if (!visited_timesteps(DdpmSteps(scheduler, options.steps), options.start_steps).empty()) return;
  throw UsageError(
      fmt::format("--start-steps {} leaves none of the {} steps", options.start_steps, options.steps));
}

// --- the program -----------------------------------------------------------------------------------

class Diffuser {
 public:
  Diffuser(Program& program, const DiffuseConfig& config)
      : log_(program.log()),
        config_(config),
        options_(seesr_options(config)),
        folders_(seesr_folders(config)),
        placement_(placement_of(config)),
        semantics_(config.semantics, config.weights, config.compute),
        sampler_(load_steps(), options_) {
    image_features_ = needed_to_start([&] { return check_seesr(folders_); });
    encoder_tiling(config.encoder_tile, 8);  // tell now what sizes are wrong
  }

  /// The first of `tasks` that go into memory together, from `begin` on; where the others begin.
  size_t run(const std::vector<Task>& tasks, size_t begin, Progress& progress) {
    std::vector<Subject> subjects;
    const size_t end = load(tasks, begin, subjects);
    look(subjects);
    read_prompts(subjects);
    if (!subjects.empty()) sample(subjects, progress);
    return end;
  }

  bool failed() const { return failed_; }

 private:
  DdpmScheduler load_steps() const {
    auto scheduler = needed_to_start([&] { return load_scheduler(folders_); });
    check_steps(scheduler, options_);
    return scheduler;
  }

  size_t load(const std::vector<Task>& tasks, size_t begin, std::vector<Subject>& subjects) {
    constexpr size_t most = 64;
    constexpr int64_t most_pixels = 64 << 20;
    size_t end = begin;
    for (int64_t pixels = 0; end < tasks.size() && end - begin < most && pixels < most_pixels; ++end) {
      check_interrupted();
      const bool loaded = attempt(log_, names_of(tasks[end]), [&] {
        auto subject = load_subject(tasks[end], config_, log_);
        subject.semantics = semantics_.recorded(tasks[end].job.input);
        check_seen(subject.semantics.embeddings);
        pixels += int64_t{subject.picture.width()} * subject.picture.height();
        subjects.push_back(std::move(subject));
      });
      failed_ = failed_ || !loaded;
    }
    return end;
  }

  /// Throws Error where the networks don't take such embeddings.
  void check_seen(const Tensor& embeddings) const {
    if (!embeddings.defined() || embeddings.size(2) == image_features_) return;
    throw Error(fmt::format("the embeddings have {} features, and the U-Net looks at {}", embeddings.size(2),
                            image_features_));
  }

  /// By the tagger, which is gone afterwards.
  void look(std::vector<Subject>& subjects) {
    if (!semantics_.needs_tagger() || subjects.empty()) return;
    auto tagger = semantics_.tagger();
    const bool well = keep_successful(subjects, log_, [&](Subject& subject) {
      semantics_.complete(subject.semantics, tagger, image_of(subject.values));
      check_seen(subject.semantics.embeddings);
    });
    failed_ = failed_ || !well;
  }

  /// By the text encoder, which is gone afterwards.
  void read_prompts(std::vector<Subject>& subjects) {
    if (subjects.empty()) return;
    const auto text = needed_to_start([&] { return load_text_encoder(folders_, placement_); });
    const bool well = keep_successful(subjects, log_, [&](Subject& subject) {
      const auto prompt = seesr_prompt(subject.semantics.tags, config_.prompt, config_.added_prompt);
      log_.detail(fmt::format("{}: prompt \"{}\"", names_of(subject.task).front(), printable(prompt)));
      subject.text =
          text.encode(options_.guided() ? std::vector{config_.negative_prompt, prompt} : std::vector{prompt});
    });
    failed_ = failed_ || !well;
  }

  void sample(std::vector<Subject>& subjects, Progress& progress) {
    const auto model = needed_to_start([&] { return load_seesr(folders_, placement_); });
    const bool well = keep_successful(subjects, log_, [&](Subject& subject) {
      sample_one(subject, model, progress);
      subject = Subject{
          .task = subject.task, .picture = {}, .values = {}, .alpha = {}, .semantics = {}, .text = {}};
    });
    failed_ = failed_ || !well;
  }

  void sample_one(const Subject& subject, const SeesrModel& model, Progress& progress) {
    const at::NoGradGuard no_grad;
    const auto sizes = process_sizes({subject.picture.width(), subject.picture.height()}, config_.scale,
                                     config_.process_size);
    const auto on_grid = image_of(subject.values.round());
    const auto picture = process_picture(on_grid, sizes);
    const SeesrConditions conditions{.text = subject.text,
                                     .image_tokens = on_device(subject.semantics.embeddings),
                                     .strength = config_.strength};
    const auto networks = seesr_networks(model, conditions, vae_tiling());
    for (int i = 0; i < config_.samples; ++i) {
      const auto& target = subject.task.targets[static_cast<size_t>(i)];
      if (config_.output.skip_existing && path_exists(target)) {
        progress.advance(1.0 / config_.samples);
        continue;
      }
      const auto image = sampled(subject, picture, networks, i, progress);
      write(subject, target, colour_fixed(image.cpu(), picture, colour_fix(config_.colour_fix)),
            sizes.output);
      log_.detail(fmt::format("{} -> {}", names_of(subject.task).front(), shown(target, "standard output")));
    }
  }

  Tensor sampled(const Subject& subject, const Tensor& picture, const SeesrNetworks& networks, int sample,
                 Progress& progress) {
    const auto name = subject.task.job.input.relative.string();
    const auto stream = sample == 0 ? name : fmt::format("{}#{}", name, sample + 1);
    Tensor latents;
    const SeesrHooks hooks{.advanced = [&](double part) { progress.advance(part / config_.samples); },
                           .stepped = [&](const SeesrStep& step) { latents = step.latents; }};
    const auto image = sampler_.run(picture.to(placement_.device), networks,
                                    named_noise(static_cast<std::uint64_t>(config_.seed), stream), hooks);
    if (!subject.task.latents.empty())
      write_safetensors(subject.task.latents[static_cast<size_t>(sample)], {{"latents", latents.cpu()}});
    return image;
  }

  /// What waiting tiles may hold changes nothing but the time.
  TiledVaeOptions vae_tiling() const {
    TiledVaeOptions options;
    options.encoder_size = config_.encoder_tile;
    options.decoder_size = config_.decoder_tile;
    if (placement_.device.is_cpu()) options.most_held = available_memory().value_or(8LL << 30) / 4;
    return options;
  }

  void write(const Subject& subject, const fs::path& target, const Tensor& image,
             const PixelSize& size) const {
    const Tensor colours = subject.picture.grey() ? image.mean(1, true).mul(255).round().div(255) : image;
    auto planes = pil_bicubic(colours, size.height, size.width);
    if (subject.alpha.defined()) {
      const auto on_grid = subject.alpha.mul(255).round().div(255);
      planes = at::cat({planes, pil_bicubic(on_grid, size.height, size.width)}, 1);
    }
    encode(*rows_of(planes[0]), subject.picture, target,
           encode_options(subject.task.job, config_.output, subject.picture));
  }

  Tensor on_device(const Tensor& embeddings) const {
    return embeddings.defined() ? embeddings.to(placement_.device) : embeddings;
  }

  Log& log_;
  const DiffuseConfig& config_;
  SeesrOptions options_;
  SeesrFolders folders_;
  Placement placement_;
  Semantics semantics_;
  SeesrSampler sampler_;
  int64_t image_features_ = 0;  ///< of the embeddings that the networks look at
  bool failed_ = false;
};

/// Throws UsageError where several things would be read from standard input.
void check_streams(const DiffuseConfig& config) {
  const auto& input = config.input;
  const auto pictures = std::ranges::count(input.names, "-");
  if (pictures + (input.files_from == "-" ? 1 : 0) + (config.semantics.tags == "-" ? 1 : 0) > 1)
    throw UsageError("only one of pictures, --files-from and --tags can be standard input");
}

}  // namespace

ExitStatus diffuse(Program& program, const DiffuseConfig& config) {
  auto& log = program.log();
  check_output_options(config.output);
  check_streams(config);
  const int threads = threads_or_all(config.compute.threads);
  const VipsSession vips(program.info().name.c_str(), threads);
  at::set_num_threads(threads);
  if (config.print_plan) return print_plan(program, config);
  const auto inputs = find_inputs(config.input, log, config.output.output);
  const auto tasks = plan_tasks(inputs, config);
  for (const auto& missing : inputs.missing) log.error(missing);
  if (inputs.files.empty() && inputs.missing.empty()) log.warning("no picture found");
  if (tasks.empty()) return inputs.missing.empty() ? ExitStatus::ok : ExitStatus::some_failed;
  if (!config.semantics.embeds.empty()) check_embeddings_place(inputs, config.semantics.embeds);
  Diffuser diffuser(program, config);
  Progress progress(log, program.progress(), tasks.size());
  for (size_t begin = 0; begin < tasks.size();) begin = diffuser.run(tasks, begin, progress);
  return diffuser.failed() || !inputs.missing.empty() ? ExitStatus::some_failed : ExitStatus::ok;
}

}  // namespace sr
