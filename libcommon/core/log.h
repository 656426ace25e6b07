#pragma once
// What people read: messages on standard error, and one status line under them on a terminal.

#include <fmt/format.h>
#include <mutex>
#include <string>
#include <string_view>

namespace sr {

enum class Verbosity { quiet, normal, verbose };

/// Writes `program: message` lines to standard error: one for each, whatever a message holds (see printable).
/// Safe from several threads.
class Log {
 public:
  explicit Log(std::string program) : program_(std::move(program)) {}
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void set_verbosity(Verbosity verbosity) { verbosity_ = verbosity; }
  Verbosity verbosity() const { return verbosity_; }

  void error(std::string_view message) { write("error: ", message, Verbosity::quiet); }
  void warning(std::string_view message) { write("warning: ", message, Verbosity::normal); }
  void note(std::string_view message) { write("", message, Verbosity::normal); }
  void detail(std::string_view message) { write("", message, Verbosity::verbose); }

  /// Shows `line` below all messages, in place of the one before; an empty line takes it away.
  void status(std::string_view line);

 private:
  void write(std::string_view kind, std::string_view message, Verbosity least);
  void erase_status() const;
  void draw_status() const;

  std::string program_;
  Verbosity verbosity_ = Verbosity::normal;
  std::mutex mutex_;
  std::string status_;
};

/// True where standard error is a terminal that can redraw a line.
bool stderr_is_smart_terminal();

/// Colour on standard error: on a smart terminal, unless NO_COLOR is set and not empty.
bool stderr_has_colour();

}  // namespace sr
