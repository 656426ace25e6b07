#pragma once
// Blur kernels of the degradation pipelines, float64 [size, size], normalised to sum 1.
// Sources: XPixelGroup/BasicSR basicsr/data/degradations.py (bivariate_*, circular_lowpass_kernel), from
// which Real-ESRGAN and SeeSR draw; cszn/KAIR utils/utils_blindsr.py (anisotropic_Gaussian,
// fspecial_gaussian, shift_pixel) for BSRGAN.

#include "core/torch.h"

namespace sr {

/// Coordinates are whole pixels around the centre, x to the right and y down; `size` is odd, sigmas are in
/// pixels and positive, `theta` in radians turns x towards y. All kernels throw Error where a parameter is
/// out of its range.
struct KernelAxes {
  int size;
  double sigma_x, sigma_y;
  double theta = 0;
};

/// exp(-m / 2), m the squared Mahalanobis distance. BSRGAN's anisotropic_Gaussian is this one with
/// sigma = sqrt(l1), sqrt(l2).
Tensor gaussian_kernel(const KernelAxes& axes);
/// exp(-m^beta / 2).
Tensor generalized_gaussian_kernel(const KernelAxes& axes, double beta);
/// 1 / (m^beta + 1).
Tensor plateau_kernel(const KernelAxes& axes, double beta);
/// 2-D sinc, a circular low pass of `cutoff` radians a pixel, 0 < cutoff <= pi.
Tensor sinc_kernel(int size, double cutoff);

/// `kernel` times `noise` (the same shape), normalised again.
Tensor noisy_kernel(const Tensor& kernel, const Tensor& noise);
/// `kernel` with zeros around it, [size, size].
Tensor padded_kernel(const Tensor& kernel, int size);
/// `kernel` read (scale - 1) / 2 pixels further right and down, linearly, coordinates clamped at the border;
/// not normalised: a picture sampled at its top-left pixels then stays in place (shift_pixel, upper_left).
Tensor shifted_kernel(const Tensor& kernel, int scale);

/// OpenCV's getGaussianKernel: float64 [size]; for sigma 0 OpenCV's tables of sizes up to 9, and above them
/// sigma = 0.3 ((size - 1) / 2 - 1) + 0.8.
Tensor opencv_gaussian(int size, double sigma);

}  // namespace sr
