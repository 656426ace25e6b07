#include "core/log.h"

#include <cstdio>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/files.h"

namespace sr {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string_view colour_of(std::string_view kind) {
  if (!stderr_has_colour()) return "";
  if (kind == "error: ") return "\033[1;31m";
  return kind == "warning: " ? "\033[1;33m" : "";
}

}  // namespace

bool stderr_is_smart_terminal() { return ::isatty(STDERR_FILENO) != 0 && environment("TERM") != "dumb"; }

bool stderr_has_colour() { return stderr_is_smart_terminal() && environment("NO_COLOR").empty(); }

void Log::write(std::string_view kind, std::string_view message, Verbosity least) {
  if (verbosity_ < least) return;
  const std::lock_guard lock(mutex_);
  const auto colour = colour_of(kind);
  erase_status();
  const auto line = fmt::format("{}: {}{}{}{}\n", program_, colour, kind, colour.empty() ? "" : "\033[0m",
                                printable(message));
  std::fwrite(line.data(), 1, line.size(), stderr);  // a message that cannot be shown is no failure
  draw_status();
}

void Log::status(std::string_view line) {
  const std::lock_guard lock(mutex_);
  erase_status();
  status_ = line.substr(0, terminal_width() - 1);
  draw_status();
}

void Log::erase_status() const {
  if (!status_.empty()) std::fputs("\r\033[K", stderr);
}

void Log::draw_status() const {
  if (!status_.empty()) std::fputs(status_.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace sr
