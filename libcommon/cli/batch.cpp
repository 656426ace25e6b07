#include "cli/batch.h"

#include <atomic>
#include <fmt/format.h>

#include "core/pipeline.h"
#include "core/stdout.h"

namespace sr {
namespace {

std::vector<Job> without_existing(std::vector<Job> jobs, Log& log) {
  const auto exists = [](const Job& job) { return !is_stream(job.target) && fs::exists(job.target); };
  const auto kept = std::remove_if(jobs.begin(), jobs.end(), exists);
  log.detail(fmt::format("{} of {} are there already", jobs.end() - kept, jobs.size()));
  jobs.erase(kept, jobs.end());
  return jobs;
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

bool attempt(Log& log, const fs::path& path, const std::function<void()>& work) {
  try {
    work();
    return true;
  } catch (const UsageError&) {
    throw;  // would be the same for every file
  } catch (const Error& error) {
    log.error(error.what());
  } catch (const std::exception& error) {
    if (dynamic_cast<const Interrupted*>(&error) != nullptr) throw;
    if (dynamic_cast<const BrokenPipe*>(&error) != nullptr) throw;
    const std::string reason = error.what();
    log.error(fmt::format("{}: {}", printable(path.string()), reason.substr(0, reason.find('\n'))));
  }
  return false;
}

ExitStatus run_batch(Program& program, const Inputs& inputs, const OutputOptions& output,
                     const BatchOptions& options, const std::function<void(const Job&, Progress&)>& work) {
  auto& log = program.log();
  auto jobs = plan_outputs(inputs, output);
  if (output.skip_existing) jobs = without_existing(std::move(jobs), log);
  std::atomic<bool> failed = !inputs.missing.empty();
  for (const auto& missing : inputs.missing) log.error(missing);
  Progress progress(log, program.progress(), jobs.size());
  for_each_in_flight(jobs.size(), options.jobs, [&](size_t i) {
    const auto& job = jobs[i];
    if (attempt(log, job.input.path, [&] { work(job, progress); })) {
      log.detail(fmt::format("{} -> {}", printable(job.input.path.string()), printable(job.target.string())));
    } else {
      failed = true;
    }
  });
  if (jobs.empty() && inputs.files.empty() && !failed) log.warning("no picture found");
  return failed ? ExitStatus::some_failed : ExitStatus::ok;
}

std::unique_ptr<RowSource> with_progress(std::unique_ptr<RowSource> source, Progress& progress) {
  return std::make_unique<CountedRows>(std::move(source), progress);
}

}  // namespace sr
