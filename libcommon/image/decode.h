#pragma once
// Decoding: the rows of an opened picture as float32 planes.

#include <array>
#include <memory>
#include <string_view>

#include "image/picture.h"
#include "image/rows.h"

namespace sr {

/// What to do with transparency.
struct AlphaPolicy {
  enum class Kind { keep, drop, flatten } kind = Kind::keep;
  std::array<float, 3> colour{1, 1, 1};  ///< sRGB in [0,1], what flatten puts underneath

  /// "keep", "drop", "flatten" (onto white), "flatten=#RRGGBB" or "flatten=white|black|grey". Throws
  /// UsageError.
  static AlphaPolicy parse(std::string_view text);
};

/// The picture's rows, decoded as they are asked for; next() throws Error that names the file.
std::unique_ptr<RowSource> decode_rows(const Picture& picture, const AlphaPolicy& alpha = {});

/// The whole picture, float32 [planes,H,W] in [0,1].
Tensor decode(const Picture& picture, const AlphaPolicy& alpha = {});

/// A rectangle of pixels.
struct Area {
  int left = 0, top = 0, width = 0, height = 0;
};

/// The middle of height x width, at most `most` pixels a side.
Area middle_area(int height, int width, int most);

/// That part of the picture, of which memory holds no more: float32 [3,h,w] in [0,1], grey three times,
/// transparency over white. To be looked at; throws Error that names the file.
Tensor decode_area(const Picture& picture, const Area& area);

}  // namespace sr
