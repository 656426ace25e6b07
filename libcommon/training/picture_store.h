#pragma once
// The pixels of the pictures to train on, wherever they are kept.

#include <mutex>
#include <optional>
#include <vector>

#include "training/data_config.h"
#include "training/packed_pictures.h"

namespace sr {

/// With `config.cache` all pictures are decoded once into that file. Without, each is decoded when it's first
/// asked for and kept while there is room in `config.memory`; what finds none is decoded each time.
class PictureStore {
 public:
  /// Reads headers, and makes the cache on `threads` threads where it's missing or stale. Throws UsageError
  /// that names the file that can't be read.
  PictureStore(std::vector<fs::path> files, const DataConfig& config, int threads);

  const fs::path& file(std::size_t i) const { return files_[i]; }
  PictureSize size_of(std::size_t i) const { return sizes_[i]; }
  /// From any thread. Throws Error that names the file, Interrupted.
  Pixels pixels(std::size_t i);

 private:
  Pixels kept(std::size_t i);

  std::vector<fs::path> files_;
  std::optional<PackedPictures> packed_;
  std::vector<PictureSize> sizes_;
  std::mutex mutex_;  ///< of what follows
  std::vector<std::optional<Pixels>> kept_;
  std::int64_t room_;
};

}  // namespace sr
