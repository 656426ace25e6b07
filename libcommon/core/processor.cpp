#include "core/processor.h"

#include <sched.h>

namespace sr {

int available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

int threads_or_all(int threads) { return threads > 0 ? threads : available_processors(); }

}  // namespace sr
