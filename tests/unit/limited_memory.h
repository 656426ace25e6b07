#pragma once
// Tests where memory runs out. The address sanitizer doesn't survive them: scripts/check leaves out tests of
// that name.

#include <fstream>
#include <sys/resource.h>

namespace sr::testing {

/// While it lives this process gets no more than `bytes` of further address space.
class LimitedMemory {
 public:
  explicit LimitedMemory(rlim_t bytes) {
    getrlimit(RLIMIT_AS, &before_);
    const rlimit tight{address_space() + bytes, before_.rlim_max};
    setrlimit(RLIMIT_AS, &tight);
  }
  ~LimitedMemory() { setrlimit(RLIMIT_AS, &before_); }
  LimitedMemory(const LimitedMemory&) = delete;
  LimitedMemory& operator=(const LimitedMemory&) = delete;

 private:
  static rlim_t address_space() {
    std::ifstream file("/proc/self/statm");
    rlim_t pages = 0;
    file >> pages;
    return pages * 4096;
  }

  rlimit before_{};
};

}  // namespace sr::testing
