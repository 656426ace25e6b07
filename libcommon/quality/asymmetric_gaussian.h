#pragma once
// Fits of the asymmetric generalised Gaussian distribution, which the contrast of natural scenes follows.
// Sources: XPixelGroup/BasicSR basicsr/metrics/niqe.py estimate_aggd_param (float32), chaofengc/IQA-PyTorch
// pyiqa/archs/func_util.py estimate_aggd_param (float64).

#include <cstdint>

namespace sr {

/// The asymmetric generalised Gaussian, "Making a Completely Blind Image Quality Analyzer", Eq. 7.
struct AsymmetricGaussian {
  double shape = 0, left = 0, right = 0;  ///< alpha, beta_l, beta_r

  double mean() const;  ///< Eq. 8
  double scale() const { return (left + right) / 2; }
};

/// Fits by moments, which float32 values have in float32, summed as numpy sums them; the shape is the best of
/// 0.2, 0.201, ... 10. Zeros count on neither side; where one side is empty its scale is NaN and the shape
/// 0.2.
AsymmetricGaussian fit_asymmetric_gaussian(const float* values, std::int64_t count);
AsymmetricGaussian fit_asymmetric_gaussian(const double* values, std::int64_t count);

}  // namespace sr
