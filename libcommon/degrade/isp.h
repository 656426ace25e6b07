#pragma once
// Camera noise as a camera's processing leaves it: the picture is taken back to raw sensor values, gets the
// sensor's noise there, and is developed again (BSRGAN section 3.3, "processed camera sensor noise").
//
// BSRGAN's own five cameras (tone curves, colour matrices) were never published; the cameras here are those
// of Brooks et al., "Unprocessing images for learned raw denoising" (CVPR 2019), with BSRGAN's ranges. So is
// the order of the curves: gamma, and then the tone curve. As in BSRGAN, a picture is demosaiced before its
// colours are balanced.

#include <array>

#include "core/random.h"

namespace sr {

struct IspOptions {
  /// Shares of the four cameras in the colour matrix; only their ratios count.
  std::array<double, 4> camera_weights{0.25, 0.25, 0.25, 0.25};
  /// Global gain; BSRGAN: 2^U(-0.1, 0.3). Below 1 it clips highlights, as an overexposed sensor does.
  double exposure = 1;
  /// White balance; BSRGAN: U(1.2, 2.4) each.
  double red_gain = 2, blue_gain = 1.7;
  /// Variance per signal; Brooks: log-uniform in [1e-4, 0.012].
  double shot_noise = 0.001;
  /// Variance; Brooks: log normal around 2.18 log(shot) + 1.2, deviation 0.26.
  double read_noise = 0.00001;
};

/// `image` [1,3,H,W] float32 in [0,1], at least 2 x 2, to one with camera noise. `normals` [1,1,H,W] has
/// deviation 1, one value a sensor pixel. Computed on the CPU, whatever the image's device; no gradient
/// passes. Without noise, what is smooth comes back almost unchanged.
Tensor isp_noise(const Tensor& image, const IspOptions& options, const Tensor& normals);

}  // namespace sr
