#pragma once
// Many files, one after the other or several at once: a bad one is told and the others are done.

#include <functional>
#include <vector>

#include "cli/outputs.h"
#include "cli/shard.h"

namespace sr {

/// Names of a file's input and output, of which an error message begins with one.
using Named = std::vector<std::string>;

/// Runs one file's work; false, and an error line, where it failed. What is no failure of that file passes
/// through: Interrupted, BrokenPipe.
bool attempt(Log& log, const Named& names, const std::function<void()>& work);

/// How many files are worked on at once, and with how many threads each.
struct Workers {
  int count, threads_each;
};

/// Shares `threads` out: a file a thread where there are enough files, else several for each. `jobs` at once
/// where that is not 0.
Workers share_threads(size_t files, int threads, int jobs);

/// The jobs of `run_batch`, those that are skipped too.
std::vector<Job> batch_jobs(const Inputs& inputs, const OutputOptions& output, const BatchOptions& options);

/// Calls `work(job, progress)` for every job that is not skipped; `work` advances the progress by 1 in all.
/// `skipped(job)`, where given, is called first for those whose results are there already; it answers whether
/// that went well. Each failure is an
/// error line, and so is each name that was not found; the status says whether there were any.
ExitStatus run_batch(Program& program, const Inputs& inputs, const OutputOptions& output,
                     const BatchOptions& options, const std::function<void(const Job&, Progress&)>& work,
                     const std::function<bool(const Job&)>& skipped = {});

/// Rows of `source`, counted into `progress` (1 in all) as they pass.
std::unique_ptr<RowSource> with_progress(std::unique_ptr<RowSource> source, Progress& progress);

}  // namespace sr
