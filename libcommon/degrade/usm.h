#pragma once
// Sharpening by unsharp masking, where the picture differs from its blurred self.
// Source: BasicSR basicsr/utils/img_process_util.py USMSharp (radius 50, sigma 0), usm_sharp; KAIR
// utils_blindsr.py add_sharpening is the same.

#include "core/torch.h"

namespace sr {

struct UsmOptions {
  int radius = 50;        ///< of the Gaussian: its size, made odd by adding 1; OpenCV derives sigma from it
  double weight = 0.5;    ///< of the difference that is added
  double threshold = 10;  ///< grey levels of 255 that a difference must exceed

  friend bool operator==(const UsmOptions&, const UsmOptions&) = default;
};

/// `images` [N,C,H,W] float32 in [0,1], larger than radius / 2; the result is in [0,1] too.
Tensor usm_sharp(const Tensor& images, const UsmOptions& options = {});

}  // namespace sr
