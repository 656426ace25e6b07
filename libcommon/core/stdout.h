#pragma once
// Standard output: data goes there, and a failure to write it is never lost.

#include <exception>
#include <string_view>

namespace sr {

/// The reader of our output went away (EPIPE): the program ends quietly, by SIGPIPE.
class BrokenPipe : public std::exception {
 public:
  const char* what() const noexcept override { return "broken pipe"; }
};

/// Writes everything; returns 0, or errno.
int write_stdout(std::string_view bytes);

/// Throws BrokenPipe for EPIPE, Error for another errno; returns for 0.
void throw_stdout_error(int error);

/// Writes all of a file, which is open for reading. Throws Error where it can't be read, and as
/// throw_stdout_error.
void copy_to_stdout(int file);

/// Fills closed standard streams with what cannot be read or written, before any file takes their numbers:
/// writing to a closed standard output then fails as it should. Call it first.
void reserve_standard_streams();

}  // namespace sr
