#pragma once
// The sizes that SeeSR works at. Source: cswry/SeeSR test_seesr.py (@8edecc7).

#include "core/torch.h"

namespace sr {

struct PixelSize {
  int64_t width = 0, height = 0;

  friend bool operator==(const PixelSize&, const PixelSize&) = default;
};

/// A picture's sizes on its way, each resized from the one before, but for the output.
struct ProcessSizes {
  PixelSize enlarged;  ///< the shorter side at least process_size / upscale
  PixelSize scaled;    ///< times upscale
  PixelSize process;   ///< what the networks see: cut down to multiples of 8
  PixelSize output;    ///< the original's times upscale
};

/// Throws UsageError unless upscale and process_size are at least 1; Error where a side is less than the
/// networks' 8 pixels.
ProcessSizes process_sizes(const PixelSize& original, int64_t upscale, int64_t process_size);

/// The LR picture as the networks see it: [N,C,H,W] float32 in [0,1], on the 8-bit grid, resized by PIL's
/// bicubic to the sizes on its way, on the 8-bit grid each time.
Tensor process_picture(const Tensor& picture, const ProcessSizes& sizes);

}  // namespace sr
