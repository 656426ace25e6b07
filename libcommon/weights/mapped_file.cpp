#include "weights/mapped_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "core/error.h"

namespace sr {
namespace {

class Descriptor {
 public:
  explicit Descriptor(const fs::path& path) : number_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

[[noreturn]] void fail(const fs::path& path, int reason) {
  throw Error(fmt::format("{}: {}", printable(path.string()), std::strerror(reason)));
}

std::size_t size_of(const Descriptor& file, const fs::path& path) {
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) fail(path, errno);
  if (S_ISDIR(status.st_mode)) fail(path, EISDIR);
  if (!S_ISREG(status.st_mode)) {
    throw Error(fmt::format("{}: not a regular file, cannot be mapped", printable(path.string())));
  }
  return static_cast<std::size_t>(status.st_size);
}

}  // namespace

SharedBytes SharedBytes::slice(std::size_t offset, std::size_t length) const {
  if (offset > bytes.size() || length > bytes.size() - offset) {
    throw Error(fmt::format("{} bytes wanted at {}, beyond the end at {}", length, offset, bytes.size()));
  }
  return {owner, bytes.subspan(offset, length)};
}

SharedBytes map_file(const fs::path& path) {
  const Descriptor file(path);
  if (file.number() < 0) fail(path, errno);
  const std::size_t size = size_of(file, path);
  if (size == 0) return {};  // the system refuses to map nothing
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.number(), 0);
  if (data == MAP_FAILED) fail(path, errno);
  std::shared_ptr<void> owner(data, [size](void* mapped) { ::munmap(mapped, size); });
  return {std::move(owner), {static_cast<char*>(data), size}};
}

}  // namespace sr
