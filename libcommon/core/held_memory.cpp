#include "core/held_memory.h"

#include <algorithm>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <memory>

namespace sr {
namespace {

using Reporting = c10::MemoryReportingInfoBase;

/// The type of the totals that LibTorch reports, which differs from version to version.
template <class Total>
Total total_of(void (Reporting::*)(void*, int64_t, Total, Total, c10::Device));
using Total = decltype(total_of(&Reporting::reportMemoryUsage));

struct Counter : Reporting {
  void reportMemoryUsage(void* /*where*/, int64_t size, Total /*allocated*/, Total /*reserved*/,
                         c10::Device device) override {
    if (!device.is_cpu()) return;
    held.kept += size;
    held.most = std::max(held.most, held.kept);
  }
  bool memoryProfilingEnabled() const override { return true; }

  HeldMemory held;
};

}  // namespace

HeldMemory count_held_memory(const std::function<void()>& work) {
  const auto counter = std::make_shared<Counter>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, counter);
  work();
  return counter->held;
}

}  // namespace sr
