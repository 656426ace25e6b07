#include "core/atomic_file.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

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

/// Where a symbolic link ends, even if nothing is there yet.
fs::path followed(fs::path path) {
  boost::system::error_code error;
  for (int links = 0; links < 40 && fs::is_symlink(path, error); links++) {
    const auto next = fs::read_symlink(path, error);
    path = next.is_absolute() ? next : folder_of(path) / next;
  }
  return path;
}

/// Hidden, so that a walk over the folder passes it by; the extension stays, since savers go by it.
fs::path temporary_for(const fs::path& target) {
  static std::atomic<unsigned> count{0};
  return folder_of(target) / fmt::format(".sr-{}-{}{}", ::getpid(), count++, target.extension().string());
}

}  // namespace

AtomicFile::AtomicFile(const fs::path& target) : target_(followed(target)) {
  struct stat existing {};
  const bool exists = ::stat(target_.c_str(), &existing) == 0;
  if (exists && S_ISDIR(existing.st_mode)) {
    errno = EISDIR;
    fail(target_);
  }
  if (exists && !S_ISREG(existing.st_mode)) {
    path_ = target_;
    return;
  }
  int fd = -1;
  do {
    path_ = temporary_for(target_);
    temporary_ = std::make_unique<TemporaryPath>(path_.string());
    fd = ::open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  } while (fd < 0 && errno == EEXIST);
  if (fd < 0) fail(target_);
  if (exists && ::fchmod(fd, existing.st_mode & 07777) != 0)
    errno = 0;  // a mode that can't be kept is no failure
  ::close(fd);
}

AtomicFile::~AtomicFile() {
  if (temporary_) ::unlink(path_.c_str());
}

void AtomicFile::commit() {
  check_interrupted();
  if (!temporary_) return;
  if (!sync(path_, O_RDWR) || ::rename(path_.c_str(), target_.c_str()) != 0) fail(target_);
  temporary_.reset();
  sync(folder_of(target_), O_RDONLY | O_DIRECTORY);  // a file system that cannot sync folders is no failure
}

void write_whole(const fs::path& target, const std::function<void(std::ostream&)>& write) {
  AtomicFile file(target);
  errno = 0;
  std::ofstream out(file.path().string(), std::ios::binary | std::ios::trunc);
  try {
    write(out);
  } catch (const Error& problem) {
    throw Error(fmt::format("{}: {}", printable(target.string()), problem.what()));
  }
  out.close();
  if (!out && errno == 0) errno = EIO;
  if (!out) fail(target);
  file.commit();
}

}  // namespace sr
