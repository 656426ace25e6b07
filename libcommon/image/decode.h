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

}  // namespace sr
