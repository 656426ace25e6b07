#pragma once
// Many files, one after the other or several at once: a bad one is told and the others are done.

#include <functional>
#include <vector>

#include "cli/outputs.h"

namespace sr {

/// Runs one file's work; false, and an error line, where it failed. What is no failure of that file passes
/// through: UsageError, Interrupted, BrokenPipe.
bool attempt(Log& log, const fs::path& path, const std::function<void()>& work);

/// Calls `work(job, progress)` for every job that is not skipped; `work` advances the progress by 1 in all.
/// Each failure is an error line, and so is each name that was not found; the status says whether there were
/// any.
ExitStatus run_batch(Program& program, const Inputs& inputs, const OutputOptions& output,
                     const BatchOptions& options, const std::function<void(const Job&, Progress&)>& work);

/// Rows of `source`, counted into `progress` (1 in all) as they pass.
std::unique_ptr<RowSource> with_progress(std::unique_ptr<RowSource> source, Progress& progress);

}  // namespace sr
