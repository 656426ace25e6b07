#pragma once
// Sheets and pages of a batch's results, which read the pictures again when all is done.

#include <functional>
#include <vector>

#include "cli/batch.h"

namespace sr {

/// Calls `show` with the first `count` jobs that have results, each with its place among all and where its
/// source is, which `source_of` tells. One that throws an Error doesn't count: it is told with both names,
/// and the answer is false.
bool for_each_result(const std::vector<Job>& jobs, size_t count, Log& log,
                     const std::function<fs::path(const Job&)>& source_of,
                     const std::function<void(size_t place, const Job& job, const fs::path& source)>& show);

}  // namespace sr
