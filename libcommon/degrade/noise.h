#pragma once
// Noise. Draws come first, as tensors, so that recorded ones can stand in their place.
// Sources: BasicSR basicsr/data/degradations.py generate_gaussian_noise_pt, generate_poisson_noise_pt (and
// the numpy forms, whose grey weights are OpenCV's 0.299 instead of 0.2989).

#include "core/random.h"

namespace sr {

/// Whether a noisy picture is clamped to [0,1].
enum class Clamp { yes, no };

/// `image` [1,3,H,W] in [0,1] + sigma / 255 * `normals` ([1,3,H,W], or [1,1,H,W]: grey, the same for all
/// channels).
Tensor add_gaussian_noise(const Tensor& image, double sigma, const Tensor& normals, Clamp clamp = Clamp::yes);

/// The rates at which photons are counted: `picture` on the 8-bit grid, times `vals`, the power of two that
/// its number of distinct values (all channels together) rounds up to.
struct PhotonRates {
  Tensor quantised;  ///< [1,3,H,W], or [1,1,H,W] of a grey picture
  double vals;
  int distinct;  ///< the number of values
  Tensor rates() const { return quantised * vals; }
};
PhotonRates photon_rates(const Tensor& picture);

/// torchvision's luma of an [N,3,H,W] picture: 0.2989 R + 0.587 G + 0.114 B, [N,1,H,W].
Tensor torchvision_gray(const Tensor& images);

/// `image` [1,3,H,W] + scale * (counts / vals - quantised). `counts` has the shape of `photons.quantised`.
Tensor add_poisson_noise(const Tensor& image, double scale, const PhotonRates& photons, const Tensor& counts,
                         Clamp clamp = Clamp::yes);

/// The same with draws of our own. Grey noise is one plane for all channels. Draws are made on the CPU, so
/// that a recipe gives the same noise on every device.
Tensor with_gaussian_noise(const Tensor& image, double sigma, bool gray, const RandomStream& stream);
Tensor with_poisson_noise(const Tensor& image, double scale, bool gray, const RandomStream& stream);

}  // namespace sr
