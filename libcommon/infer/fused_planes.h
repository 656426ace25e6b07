#pragma once
// Where a fused network's activations lie, in the layout of amx_conv.h.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "infer/amx_conv.h"

namespace sr::fused {

using amx::Pixel;

struct Size {
  int height = 0, width = 0;
  friend bool operator==(const Size&, const Size&) = default;
  friend Size operator*(Size size, int factor) { return {size.height * factor, size.width * factor}; }
};

/// Rows first <= y < last.
struct Rows {
  int first = 0, last = 0;
  int count() const { return last - first; }
};

/// Planes of pixels of an image, or a window of `held` rows that moves down it. A pixel of zeros stands on
/// either side of every row, and rows above and below the image read as zeros. So that whole tiles can be
/// read, rows run on to a multiple of 16 pixels; what stands there means nothing.
class Planes {
 public:
  Planes(int count, int held, Size size)
      : held_(held),
        stride_((size.width + amx::kTilePixels - 1) / amx::kTilePixels * amx::kTilePixels + 2),
        size_(size),
        pixels_((std::size_t(count) * held + 1) * stride_) {}

  Pixel* row(int plane, int y) { return pixels_.data() + offset(plane, y); }
  const Pixel* row(int plane, int y) const { return pixels_.data() + offset(plane, y); }
  const Pixel* row_or_zeros(int plane, int y) const {
    return y < 0 || y >= size_.height ? pixels_.data() + (pixels_.size() - stride_ + 1) : row(plane, y);
  }

  int width() const { return size_.width; }

 private:
  std::size_t offset(int plane, int y) const {
    return (std::size_t(plane) * held_ + y % held_) * stride_ + 1;
  }

  int held_;
  std::size_t stride_;  // pixels from row to row
  Size size_;
  std::vector<Pixel> pixels_;  // [count][held][stride], then a row of zeros
};

/// Planes that hold so many channels.
inline int planes_for(std::int64_t channels, int per_plane) {
  return static_cast<int>((channels + per_plane - 1) / per_plane);
}

/// Some planes of one buffer of the graph; none where count is 0.
struct Slice {
  int buffer = 0, first = 0, count = 0;
};

/// What a step sees while it runs: the buffers of its strip, the image that went in and the one that comes
/// out.
struct View {
  std::span<Planes* const> buffers;
  const float* input = nullptr;  ///< [channels, height, width]
  float* output = nullptr;       ///< the same
  Size input_size = {}, output_size = {};

  Planes& operator[](const Slice& slice) const { return *buffers[slice.buffer]; }
};

}  // namespace sr::fused
