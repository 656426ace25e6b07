#include "core/stdout.h"

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
