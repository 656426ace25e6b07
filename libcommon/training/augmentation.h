#pragma once
// The eight ways to lay a square down. Source: BasicSR basicsr/data/transforms.py augment.

#include "core/random.h"

namespace sr {

struct Augmentation {
  bool mirrored = false;    ///< left to right
  bool upended = false;     ///< then top to bottom
  bool transposed = false;  ///< then rows become columns
};

/// `flip` allows mirroring, `rotate` the two others; each then happens half of the times.
Augmentation draw_augmentation(bool flip, bool rotate, RandomStream& stream);

/// `image` [...,H,W]; [...,W,H] where it is transposed. It may be a view.
Tensor augmented(const Tensor& image, const Augmentation& augmentation);

}  // namespace sr
