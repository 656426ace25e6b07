#pragma once
// What goes wrong, and the exit statuses of every program.

#include <stdexcept>
#include <string>

namespace sr {

enum class ExitStatus : int {
  ok = 0,
  some_failed = 1,  ///< an input failed (or a comparison did); the others are done
  usage = 2,        ///< wrong usage, or nothing could start
};

/// A failure told to the user as it stands: one sentence, no full stop, naming the file or option.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Wrong usage, or a missing thing without which nothing can start: exit status 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// What `work` answers. Its Error begins with "NAME: " then; a UsageError stays as it is.
template <class Work>
auto naming(const std::string& name, const Work& work) {
  try {
    return work();
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    const std::string reason = error.what(), start = name + ": ";
    throw Error(reason.starts_with(start) ? reason : start + reason);  // some name it themselves
  }
}

/// What `make` answers. Its Error becomes a UsageError: without that thing nothing can start.
template <class Make>
auto needed_to_start(const Make& make) {
  try {
    return make();
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
}

/// SIGINT or SIGTERM came: unwind, so that temporaries go away, and die of that signal.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "interrupted"; }
};

}  // namespace sr
