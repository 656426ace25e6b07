#pragma once
// libvips as this library uses it: its session, and its errors as ours.

#include <mutex>
#include <string>
#include <vips/vips8>

#include "core/error.h"

namespace sr {

/// Starts libvips for this process with at most `threads` workers a picture; ends it when destroyed.
class VipsSession {
 public:
  VipsSession(const char* program, int threads);
  ~VipsSession();
  VipsSession(const VipsSession&) = delete;
  VipsSession& operator=(const VipsSession&) = delete;
};

/// libvips has one error text for all threads: who may come to ask for it, or clear it, holds this lock
/// meanwhile, so that each gets its own.
std::unique_lock<std::mutex> lock_vips_errors();

/// libvips' error text as one sentence; empties its buffer.
std::string vips_reason(const vips::VError& error);

/// Runs `work`; whatever goes wrong in it becomes an Error that begins with `name`.
template <class Work>
auto naming_errors(const std::string& name, Work work) {
  return naming(name, [&] {
    try {
      return work();
    } catch (const vips::VError& error) {
      throw Error(vips_reason(error));
    }
  });
}

}  // namespace sr
