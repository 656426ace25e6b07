#include "cli/batch.h"

#include <algorithm>
#include <atomic>
#include <fmt/format.h>

#include "core/pipeline.h"
#include "core/signals.h"
#include "core/stdout.h"
#include "infer/engine.h"

namespace sr {
namespace {

/// Takes out the jobs whose results are there already, and returns them.
std::vector<Job> take_existing(std::vector<Job>& jobs, Log& log) {
  const auto missing = [](const Job& job) { return is_stream(job.target) || !path_exists(job.target); };
  const auto kept = std::stable_partition(jobs.begin(), jobs.end(), missing);
  log.detail(fmt::format("{} of {} are there already", jobs.end() - kept, jobs.size()));
  std::vector<Job> existing(std::make_move_iterator(kept), std::make_move_iterator(jobs.end()));
  jobs.erase(kept, jobs.end());
  return existing;
}

/// What went wrong, beginning with the input's name or the target's.
std::string sentence(const std::exception& error, const Named& names) {
  std::string reason = is_out_of_memory(error) ? "not enough memory" : error.what();
  reason = reason.substr(0, reason.find('\n'));  // LibTorch goes on with a stack trace
  const auto begins_with = [&](const std::string& name) {
    return reason.substr(0, name.size() + 2) == name + ": ";
  };
  const bool named = std::any_of(names.begin(), names.end(), begins_with);
  return named ? reason : fmt::format("{}: {}", names.front(), reason);
}

class CountedRows final : public RowSource {
 public:
  CountedRows(std::unique_ptr<RowSource> source, Progress& progress)
      : source_(std::move(source)), progress_(progress) {}
  int width() const override { return source_->width(); }
  int height() const override { return source_->height(); }
  int planes() const override { return source_->planes(); }
  Tensor next() override {
    auto rows = source_->next();
    progress_.advance(static_cast<double>(rows.size(1)) / height());
    return rows;
  }

 private:
  std::unique_ptr<RowSource> source_;
  Progress& progress_;
};

}  // namespace

bool attempt(Log& log, const Named& names, const std::function<void()>& work) {
  try {
    work();
    return true;
  } catch (const std::exception& error) {
    if (dynamic_cast<const Interrupted*>(&error) != nullptr) throw;
    if (dynamic_cast<const BrokenPipe*>(&error) != nullptr) throw;
    log.error(sentence(error, names));
  }
  return false;
}

Workers share_threads(size_t files, int threads, int jobs) {
  const int most = jobs > 0 ? jobs : threads;
  const int count = static_cast<int>(std::clamp<size_t>(files, 1, static_cast<size_t>(most)));
  return {count, std::max(1, threads / count)};
}

std::vector<Job> batch_jobs(const Inputs& inputs, const OutputOptions& output, const BatchOptions& options) {
  return shard_of(plan_outputs(inputs, output), options.shard);
}

ExitStatus run_batch(Program& program, const Inputs& inputs, const OutputOptions& output,
                     const BatchOptions& options, const std::function<void(const Job&, Progress&)>& work,
                     const std::function<bool(const Job&)>& skipped) {
  auto& log = program.log();
  auto jobs = batch_jobs(inputs, output, options);
  std::atomic<bool> failed = !inputs.missing.empty();
  for (const auto& missing : inputs.missing) log.error(missing);
  if (output.skip_existing) {
    for (const auto& job : take_existing(jobs, log)) {
      check_interrupted();
      if (skipped && !skipped(job)) failed = true;
    }
  }
  Progress progress(log, program.progress(), jobs.size());
  for_each_in_flight(jobs.size(), options.jobs, [&](size_t i) {
    const auto& job = jobs[i];
    const auto input = shown(job.input.path, "standard input"), target = shown(job.target, "standard output");
    if (attempt(log, {input, target}, [&] { work(job, progress); })) {
      log.detail(fmt::format("{} -> {}", input, target));
    } else {
      failed = true;
    }
  });
  check_interrupted();
  if (inputs.files.empty() && !failed) log.warning("no picture found");
  return failed ? ExitStatus::some_failed : ExitStatus::ok;
}

std::unique_ptr<RowSource> with_progress(std::unique_ptr<RowSource> source, Progress& progress) {
  return std::make_unique<CountedRows>(std::move(source), progress);
}

}  // namespace sr
