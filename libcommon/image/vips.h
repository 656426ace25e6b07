#pragma once
// libvips as this library uses it: its session, and its errors as ours.

#include <fmt/format.h>
#include <string>
#include <string_view>
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

/// libvips' error text as one sentence; empties its buffer.
std::string vips_reason(const vips::VError& error);

/// Runs `work`; whatever goes wrong in it becomes an Error that begins with `name`.
template <class Work>
auto naming_errors(const std::string& name, Work work) {
  try {
    return work();
  } catch (const vips::VError& error) {
    throw Error(fmt::format("{}: {}", name, vips_reason(error)));
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    if (std::string_view(error.what()).substr(0, name.size() + 2) == name + ": ") throw;
    throw Error(fmt::format("{}: {}", name, error.what()));
  }
}

}  // namespace sr
