#pragma once
// Many decoded pictures in one file, mapped into memory, so that a crop costs a few page reads.
//
// The file: a line that says what it is; the pictures' samples, RGB interleaved, 8 bits, each at a multiple
// of 64 bytes; an index, TSV lines of path, bytes, modification time (ns) of the picture's file, height,
// width, offset; 16 bytes: where the index begins and its length.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "training/pixels.h"
#include "weights/mapped_file.h"

namespace sr {

/// A file as it is found: absolute path, length, time of the last change.
struct FileStamp {
  std::string path;
  std::int64_t bytes = 0, changed = 0;  ///< `changed` in ns

  /// Throws Error with the system's reason.
  static FileStamp of(const fs::path& file);
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

class PackedPictures {
 public:
  /// Opens `cache` if it holds these very files; else makes it (atomically; one process does while others
  /// wait) on `threads` threads, `packed` being told after each picture. Throws Error that names a file that
  /// can't be read, or `cache` where it is something else, which is then left alone.
  static PackedPictures open(const fs::path& cache, const std::vector<fs::path>& files, int threads,
                             const std::function<void(std::size_t, std::size_t)>& packed = {});

  std::size_t size() const { return entries_.size(); }
  PictureSize size_of(std::size_t i) const { return entries_[i].size; }
  Pixels pixels(std::size_t i) const;

 private:
  struct Entry {
    FileStamp stamp;
    PictureSize size;
    std::int64_t offset = 0;
  };
  class Writer;

  /// False where the file is cut short or garbled.
  bool read_index();
  /// A line of the index, which begins at `end`.
  bool read_entry(std::string_view line, std::int64_t end);
  bool holds(const std::vector<FileStamp>& stamps) const;
  bool load(const fs::path& cache, const std::vector<FileStamp>& stamps);

  SharedBytes file_;
  std::vector<Entry> entries_;
};

}  // namespace sr
