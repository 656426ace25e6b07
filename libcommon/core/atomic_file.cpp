#include "core/atomic_file.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

#include "core/error.h"

namespace sr {
namespace {

[[noreturn]] void fail(const fs::path& path) {
  throw Error(fmt::format("{}: {}", printable(path.string()), std::strerror(errno)));
}

/// Opens, syncs and closes; false with errno set where that fails.
bool sync(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = ::fsync(fd) == 0;
  return ::close(fd) == 0 && synced;
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// Hidden, so that a walk over the folder passes it by; the extension stays, since savers go by it.
fs::path temporary_for(const fs::path& target) {
  static std::atomic<unsigned> count{0};
  return folder_of(target) / fmt::format(".sr-{}-{}{}", ::getpid(), count++, target.extension().string());
}

}  // namespace

AtomicFile::AtomicFile(fs::path target) : target_(std::move(target)) {
  if (fs::is_directory(target_)) throw Error(fmt::format("{}: Is a directory", printable(target_.string())));
  int fd = -1;
  do {
    temporary_ = temporary_for(target_);
    fd = ::open(temporary_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  } while (fd < 0 && errno == EEXIST);
  if (fd < 0) fail(target_);
  ::close(fd);
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::commit() {
  if (!sync(temporary_, O_RDWR)) fail(target_);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail(target_);
  temporary_.clear();
  sync(folder_of(target_), O_RDONLY | O_DIRECTORY);  // a file system that cannot sync folders is no failure
}

}  // namespace sr
