#pragma once
// What BSRGAN has beside the operators that it shares with Real-ESRGAN.
// Source: cszn/KAIR utils/utils_blindsr.py; pictures are [1,3,H,W] float32 in [0,1].

#include <array>

#include "core/random.h"

namespace sr {

/// Row-major covariance of noise that is correlated between the channels:
/// (25 / 255)^2 |U^T diag(d) U|, U an orthonormal basis. The absolute values, which are elementwise, can make
/// it indefinite.
using ChannelCovariance = std::array<double, 9>;
/// `d` and the entries of the 3x3 matrix that U spans: each U(0,1) (add_Gaussian_noise, `orth`).
ChannelCovariance channel_covariance(const std::array<double, 3>& d, const std::array<double, 9>& matrix);

/// Normals [1,3,H,W] of that covariance (already in [0,1] units) from independent ones of deviation 1.
/// Negative eigenvalues count by their size, as in numpy's multivariate_normal.
Tensor correlated(const Tensor& normals, const ChannelCovariance& covariance);

/// image + noise, clamped to [0,1]; `noise` [1,3,H,W] or grey [1,1,H,W], in [0,1] units.
Tensor add_noise(const Tensor& image, const Tensor& noise);
/// image + image * noise on the clamped image, clamped.
Tensor add_speckle_noise(const Tensor& image, const Tensor& noise);

/// add_Poisson_noise: `vals` in [100, 10000] photons at white. `counts` are Poisson draws at the rates
/// vals * bsrgan_quantised(image) ([1,3,H,W]), or grey ([1,1,H,W]) vals * bsrgan_gray_quantised(image).
Tensor bsrgan_quantised(const Tensor& image);       ///< on the 8-bit grid
Tensor bsrgan_gray_quantised(const Tensor& image);  ///< the same of its luma 0.299 R + 0.587 G + 0.114 B
Tensor add_bsrgan_poisson(const Tensor& image, double vals, const Tensor& counts);

/// Every `scale`-th pixel from the top left on.
Tensor decimated(const Tensor& images, int scale);

}  // namespace sr
