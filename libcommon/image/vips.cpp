#include "image/vips.h"

#include <fmt/format.h>
#include <vips/vips.h>

namespace sr {

VipsSession::VipsSession(const char* program, int threads) {
  if (VIPS_INIT(program) != 0)
    throw UsageError(fmt::format("libvips does not start: {}", vips_error_buffer()));
  vips_concurrency_set(threads);
  vips_cache_set_max(0);  // every picture is read once
  // libvips' own warnings would come between our lines; what matters arrives as an error
  const auto hear_nothing = [](const char*, GLogLevelFlags, const char*, void*) {};
  g_log_set_handler("VIPS", G_LOG_LEVEL_MASK, hear_nothing, nullptr);
  g_log_set_handler("GLib-GObject", G_LOG_LEVEL_MASK, hear_nothing, nullptr);
}

VipsSession::~VipsSession() { vips_shutdown(); }

std::unique_lock<std::mutex> lock_vips_errors() {
  static std::mutex one_at_a_time;
  return std::unique_lock(one_at_a_time);
}

std::string vips_reason(const vips::VError& error) {
  std::string text = error.what();
  vips_error_clear();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at))
    text.replace(at, 1, "; ");
  return text.empty() ? "not readable as a picture" : text;
}

}  // namespace sr
