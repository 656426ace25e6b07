#pragma once
// Decoded pictures as training keeps them: 8 bits a sample, RGB interleaved.

#include <cstdint>
#include <memory>
#include <span>

#include "core/files.h"
#include "core/torch.h"

namespace sr {

struct PictureSize {
  std::int64_t height = 0, width = 0;

  std::int64_t bytes() const { return height * width * 3; }
  friend bool operator==(const PictureSize&, const PictureSize&) = default;
};

struct Rectangle {
  std::int64_t top = 0, left = 0, height = 0, width = 0;
};

/// A picture's samples [height,width,3], and a share in what holds them.
struct Pixels {
  PictureSize size;
  std::span<const std::uint8_t> samples;
  std::shared_ptr<const void> owner;
};

/// The size of the picture in a file, by its header. Throws Error that names the file.
PictureSize read_size(const fs::path& file);

/// Decodes a file: grey becomes RGB, transparency is left out, 16 bits and floats are rounded to 8. Throws
/// Error that names the file.
Pixels decode_pixels(const fs::path& file);

/// Part of a picture as float32 [3,height,width] in [0,1]. Throws Error where it reaches beyond the picture.
Tensor planes_of(const Pixels& pixels, const Rectangle& part);

}  // namespace sr
