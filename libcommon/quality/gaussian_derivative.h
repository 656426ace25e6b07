#pragma once
// Derivatives of Gaussians, by which IL-NIQE takes gradients.
// Source: chaofengc/IQA-PyTorch pyiqa/archs/niqe_arch.py gauDerivative.

#include <array>
#include <cstdint>
#include <vector>

namespace sr {

/// Convolves float64 planes with x exp(-(x^2 + y^2) / (2 sigma^2)) and y exp(...), 11 x 11 taps and not
/// normalised; beyond the edges is zero. Holds the memory of one thread.
class GaussianDerivative {
 public:
  static constexpr std::int64_t kRadius = 5;  ///< of ceil(3 sigma)

  /// Throws Error unless 4/3 < sigma <= 5/3.
  explicit GaussianDerivative(double sigma);

  /// Rows [begin, end) of both derivatives of `plane` (height x width) to `across` and `down`, which start
  /// with row `begin`.
  void rows(const double* plane, std::int64_t height, std::int64_t width, std::int64_t begin,
            std::int64_t end, double* across, double* down);

 private:
  std::array<double, kRadius + 1> smooth_{}, slope_{};
  std::vector<double> padded_, smoothed_, sloped_;
};

}  // namespace sr
