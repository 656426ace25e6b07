#include "cli/overview.h"

#include "core/signals.h"

namespace sr {

bool for_each_result(const std::vector<Job>& jobs, size_t count, Log& log,
                     const std::function<fs::path(const Job&)>& source_of,
                     const std::function<void(size_t place, const Job& job, const fs::path& source)>& show) {
  bool good = true;
  size_t shown = 0;
  for (size_t i = 0; i < jobs.size() && shown < count; i++) {
    if (!path_exists(jobs[i].target)) continue;
    check_interrupted();
    const auto source = source_of(jobs[i]);
    if (attempt(log, {source.string(), jobs[i].target.string()}, [&] { show(i, jobs[i], source); })) {
      shown++;
    } else {
      good = false;
    }
  }
  return good;
}

}  // namespace sr
