#pragma once
// A diffused picture drifts in colour; these bring it back to its LR picture's. Source: cswry/SeeSR
// utils/wavelet_color_fix.py (@8edecc7). AdaIN: Huang and Belongie, "Arbitrary Style Transfer in Real-time
// with Adaptive Instance Normalization", ICCV 2017.

#include <string_view>

#include "core/torch.h"

namespace sr {

enum class ColourFix {
  adain,    ///< each channel gets the mean and deviation of the LR picture's
  wavelet,  ///< detail of the picture over the blurred LR picture
  none,
};

/// "adain", "wavelet", "none"; throws UsageError otherwise.
ColourFix colour_fix(std::string_view name);

/// One channel [H,W] of the picture after the fix, float32, beyond [0,1] perhaps. `reference` is that of the
/// LR picture, enlarged to the same size; both in [0,1].
Tensor fixed_channel(const Tensor& channel, const Tensor& reference, ColourFix fix);

/// The picture [1,3,H,W] float32 after the fix: clamped to [0,1], and cut off, not rounded, to the 8-bit
/// grid, as the original does it; `none` is the picture itself. Takes a few channels' memory beside the
/// result. Throws Error where the sizes differ.
Tensor colour_fixed(const Tensor& picture, const Tensor& reference, ColourFix fix);

}  // namespace sr
