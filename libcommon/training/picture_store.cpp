#include "training/picture_store.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/signals.h"

namespace sr {

PictureStore::PictureStore(std::vector<fs::path> files, const DataConfig& config, int threads)
    : files_(std::move(files)), room_(config.memory) {
  needed_to_start([&] {
    if (!config.cache.empty()) packed_ = PackedPictures::open(config.cache, files_, threads, config.packed);
    for (size_t i = 0; i < files_.size(); i++) {
      check_interrupted();
      sizes_.push_back(packed_ ? packed_->size_of(i) : read_size(files_[i]));
    }
    return 0;
  });
  if (!packed_) kept_.resize(files_.size());
}

Pixels PictureStore::pixels(std::size_t i) { return packed_ ? packed_->pixels(i) : kept(i); }

Pixels PictureStore::kept(std::size_t i) {
  {
    const std::lock_guard lock(mutex_);
    if (kept_[i]) return *kept_[i];
  }
  auto pixels = decode_pixels(files_[i]);
  if (pixels.size != sizes_[i])
    throw Error(fmt::format("{}: has another size than at the start", printable(files_[i].string())));
  const std::lock_guard lock(mutex_);
  if (!kept_[i] && pixels.size.bytes() <= room_) {
    room_ -= pixels.size.bytes();
    kept_[i] = pixels;
  }
  return pixels;
}

}  // namespace sr
