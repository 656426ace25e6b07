#include "training/packed_pictures.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <limits>
#include <sys/stat.h>
#include <unistd.h>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/pipeline.h"
#include "core/records.h"
#include "core/signals.h"
#include "training/folder_lock.h"

namespace sr {
namespace {

constexpr std::string_view kTitle = "sr-tools training pictures 1\n";
constexpr std::int64_t kAlignment = 64;
using Trailer = std::array<std::int64_t, 2>;  ///< of the index: offset, length

std::int64_t aligned(std::int64_t offset) { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

[[noreturn]] void fail(const fs::path& path) {
  throw Error(fmt::format("{}: {}", printable(path.string()), std::strerror(errno)));
}

/// A file that is written at any place, from several threads.
class Output {
 public:
  explicit Output(const fs::path& path)
      : path_(path), descriptor_(::open(path.c_str(), O_WRONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) fail(path);
  }
  ~Output() { ::close(descriptor_); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::int64_t offset, const void* data, size_t length) const {
    const auto* bytes = static_cast<const char*>(data);
    while (length > 0) {
      const auto written = ::pwrite(descriptor_, bytes, length, offset);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail(path_);
      bytes += written;
      offset += written;
      length -= static_cast<size_t>(written);
    }
  }

 private:
  fs::path path_;
  int descriptor_;
};

std::vector<FileStamp> stamps_of(const std::vector<fs::path>& files) {
  std::vector<FileStamp> stamps;
  stamps.reserve(files.size());
  for (const auto& file : files) stamps.push_back(FileStamp::of(file));
  return stamps;
}

/// Only a cache, or an empty file, is replaced.
void require_replaceable(const fs::path& cache) {
  if (!path_exists(cache)) return;
  const auto file = map_file(cache);
  if (file.bytes.empty() || file.text().substr(0, kTitle.size()) == kTitle) return;
  throw Error(
      fmt::format("{}: not a cache of training pictures, so it is left as it is", printable(cache.string())));
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

FileStamp FileStamp::of(const fs::path& file) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) fail(file);
  return {fs::absolute(file).lexically_normal().string(), status.st_size,
          status.st_mtim.tv_sec * kSecond + status.st_mtim.tv_nsec};
}

/// Lays the file out by the pictures' headers, then decodes them into their places.
class PackedPictures::Writer {
 public:
  Writer(const std::vector<fs::path>& files, const std::vector<FileStamp>& stamps) : files_(files) {
    entries_.reserve(files.size());
    for (size_t i = 0; i < files.size(); i++) {
      check_interrupted();
      end_ = aligned(end_);
      entries_.push_back({stamps[i], read_size(files[i]), end_});
      end_ += entries_.back().size.bytes();
    }
  }

  void write(const fs::path& path, int threads,
             const std::function<void(std::size_t, std::size_t)>& packed) const {
    const Output output(path);
    output.write(0, kTitle.data(), kTitle.size());
    std::atomic<size_t> done = 0;
    for_each_in_flight(files_.size(), threads, [&](size_t i) {
      at::set_num_threads(1);
      check_interrupted();
      const auto pixels = decode_pixels(files_[i]);
      if (pixels.size != entries_[i].size)
        throw Error(fmt::format("{}: changed while it was read", printable(files_[i].string())));
      output.write(entries_[i].offset, pixels.samples.data(), pixels.samples.size());
      const auto count = ++done;
      if (packed) packed(count, files_.size());
    });
    const auto text = index();
    const Trailer trailer{end_, static_cast<std::int64_t>(text.size())};
    output.write(end_, text.data(), text.size());
    output.write(end_ + trailer[1], trailer.data(), sizeof trailer);
  }

 private:
  std::string index() const {
    std::string text;
    for (const auto& [stamp, size, offset] : entries_) {
      text += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\n", tsv_escape(stamp.path), stamp.bytes, stamp.changed,
                          size.height, size.width, offset);
    }
    return text;
  }

  const std::vector<fs::path>& files_;
  std::vector<Entry> entries_;
  std::int64_t end_ = static_cast<std::int64_t>(kTitle.size());
};

PackedPictures PackedPictures::open(const fs::path& cache, const std::vector<fs::path>& files, int threads,
                                    const std::function<void(std::size_t, std::size_t)>& packed) {
  const auto stamps = stamps_of(files);
  PackedPictures pictures;
  if (pictures.load(cache, stamps)) return pictures;
  const FolderLock lock(folder_of(cache));
  if (pictures.load(cache, stamps)) return pictures;  // another process has made it meanwhile
  require_replaceable(cache);
  const Writer writer(files, stamps);
  AtomicFile file(cache);
  writer.write(file.path(), threads, packed);
  file.commit();
  if (!pictures.load(cache, stamps))
    throw Error(fmt::format("{}: cannot be read back", printable(cache.string())));
  return pictures;
}

bool PackedPictures::load(const fs::path& cache, const std::vector<FileStamp>& stamps) {
  if (!path_exists(cache)) return false;
  file_ = map_file(cache);
  return read_index() && holds(stamps);
}

bool PackedPictures::holds(const std::vector<FileStamp>& stamps) const {
  return std::equal(entries_.begin(), entries_.end(), stamps.begin(), stamps.end(),
                    [](const Entry& entry, const FileStamp& stamp) { return entry.stamp == stamp; });
}

bool PackedPictures::read_index() {
  entries_.clear();
  const auto text = file_.text();
  Trailer trailer{};
  if (text.size() < kTitle.size() + sizeof trailer || text.substr(0, kTitle.size()) != kTitle) return false;
  const auto end = static_cast<std::int64_t>(text.size() - sizeof trailer);
  std::memcpy(trailer.data(), text.data() + end, sizeof trailer);
  const auto [begin, length] = trailer;
  if (begin < 0 || length < 0 || begin > end || length != end - begin) return false;
  auto rest = text.substr(static_cast<size_t>(begin), static_cast<size_t>(length));
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (!read_entry(line, begin)) return false;
  }
  return true;
}

bool PackedPictures::read_entry(std::string_view line, std::int64_t end) {
  constexpr long kMost = std::numeric_limits<long>::max();
  constexpr long kLongestSide = 1 << 30;  // so that height times width stays a number
  const auto fields = tsv_fields(line);
  if (fields.size() != 6) return false;
  const auto bytes = parse_number(fields[1], 0, kMost);
  const auto changed = parse_number(fields[2], -kMost, kMost);  // there are times before 1970
  const auto height = parse_number(fields[3], 1, kLongestSide);
  const auto width = parse_number(fields[4], 1, kLongestSide);
  const auto offset = parse_number(fields[5], 0, end);
  if (!bytes || !changed || !height || !width || !offset) return false;
  entries_.push_back({{fields[0], *bytes, *changed}, {*height, *width}, *offset});
  return entries_.back().size.bytes() <= end - *offset;
}

Pixels PackedPictures::pixels(std::size_t i) const {
  const auto& [stamp, size, offset] = entries_.at(i);
  const auto bytes = file_.slice(static_cast<size_t>(offset), static_cast<size_t>(size.bytes()));
  return {size, {reinterpret_cast<const std::uint8_t*>(bytes.bytes.data()), bytes.bytes.size()}, bytes.owner};
}

}  // namespace sr
