#include "core/stdout.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/error.h"

namespace sr {

int write_stdout(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

void throw_stdout_error(int error) {
  if (error == EPIPE) throw BrokenPipe();
  if (error != 0) throw Error(fmt::format("standard output: {}", std::strerror(error)));
}

void copy_to_stdout(int file) {
  std::array<char, 1 << 16> block{};
  const auto fail = [] {
    throw Error(fmt::format("standard output: what goes there can't be read: {}", std::strerror(errno)));
  };
  if (::lseek(file, 0, SEEK_SET) != 0) fail();
  for (ssize_t got = 1; got != 0;) {
    got = ::read(file, block.data(), block.size());
    if (got < 0 && errno != EINTR) fail();
    if (got > 0) throw_stdout_error(write_stdout({block.data(), static_cast<size_t>(got)}));
  }
}

void reserve_standard_streams() {
  while (true) {
    // the lowest free number; the wrong direction, so that every use is an error
    const int fd = ::open("/dev/null", O_RDONLY);
    if (fd == STDIN_FILENO) {
      ::close(fd);
      ::open("/dev/null", O_WRONLY);
    } else if (fd > STDERR_FILENO || fd < 0) {
      ::close(fd);
      return;
    }
  }
}

}  // namespace sr
