#pragma once
// Pictures as measures take them. Transparency is left out, with a warning.

#include "core/log.h"
#include "core/torch.h"
#include "image/picture.h"

namespace sr {

/// The picture's values 0..255, [C,H,W] of 1 or 3 channels: uint8 where the file has 8 bits, else float64.
Tensor load_values(const fs::path& path, std::int64_t max_pixels, Log& log);

/// The same of decoded colours [C,H,W] in [0,1] of a file of this depth. Throws Error where one is not
/// finite.
Tensor values_of(const Tensor& colours, Depth depth);

/// Such values as networks take them: float32 [1,3,H,W], RGB in [0,1].
Tensor image_of(const Tensor& values);

/// Without `border` pixels all round. Throws Error where that leaves nothing.
Tensor without_border(const Tensor& values, std::int64_t border);

}  // namespace sr
