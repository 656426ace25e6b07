#pragma once
// How much memory tensors take in a piece of work.

#include <cstdint>
#include <functional>

namespace sr {

/// Bytes of tensors on the CPU that came to be in the work.
struct HeldMemory {
  std::int64_t most = 0;  ///< at once
  std::int64_t kept = 0;  ///< at its end
};

/// What this thread asks for in `work`, its backward passes on the CPU among it. What other threads ask for
/// in parallel loops is not seen.
HeldMemory count_held_memory(const std::function<void()>& work);

}  // namespace sr
