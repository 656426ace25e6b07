#pragma once
// Opening pictures: any format libvips reads, told apart by content, brought to sRGB.

#include <cstdint>
#include <string>
#include <vips/vips8>

#include "core/files.h"

namespace sr {

/// The samples of a file: 8 or 16 bit integers, or floating point (which holds linear light, as libvips'
/// scRGB).
enum class Depth { u8, u16, f32 };

/// Larger pictures are refused before anything is decoded.
constexpr std::int64_t kMaxPixels = 500'000'000;

/// A picture whose header is read and whose pixels come on demand: 1 or 3 sRGB bands (EXIF orientation
/// applied, ICC profile or CMYK converted), then perhaps alpha.
struct Picture {
  std::string name;  ///< for messages
  vips::VImage image;
  Depth depth = Depth::u8;  ///< of the file; `image` may be deeper after a conversion
  bool alpha = false;
  std::string loader;  ///< libvips' name of the format: "jpegload_source", "pngload_source", ...

  int width() const { return image.width(); }
  int height() const { return image.height(); }
  int planes() const { return image.bands(); }
  bool grey() const { return planes() < 3; }
};

/// Opens a file, or standard input where `path` is "-". A file that ends too early or is broken is an error,
/// now or when its rows are read. Throws Error that names the file and the reason.
Picture open_picture(const fs::path& path, std::int64_t max_pixels = kMaxPixels);

/// What a walk through a folder passes over: its name begins with a dot.
bool is_hidden(const fs::path& path);

/// By name, since a broken picture should be told, not passed over; else by content.
bool is_picture(const fs::path& path);

/// The type of the samples as they are in memory. Throws Error for those that no picture has (complex, say).
Depth depth_of_samples(const vips::VImage& image);

}  // namespace sr
