#pragma once
// How the C library deals with what is freed.

#include <cstdlib>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace sr {

/// For programs that go on asking for the same big blocks: what they free stays theirs, and need not be
/// cleared by the system, page for page, each time (a fifteenth of a training step). Settings of the user's
/// (GLIBC_TUNABLES) win.
inline void keep_freed_memory() {
#if defined(__GLIBC__)
  if (std::getenv("GLIBC_TUNABLES") != nullptr) return;
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

}  // namespace sr
