#pragma once
// Log-Gabor filters in the frequency domain.
// Source: chaofengc/IQA-PyTorch pyiqa/archs/fsim_arch.py _construct_filters, without its low-pass filter.

#include <cstdint>

#include "core/torch.h"

namespace sr {

struct LogGaborOptions {
  std::int64_t scales = 3, orientations = 4;
  double least_wavelength = 2.4, factor = 1.31;  ///< of the first scale; from one to the next
  double bandwidth = 0.55;                       ///< deviation of the radial part over its centre
  double spread = 1.10;                          ///< interval of orientations over the angular deviation
};

/// The filters of square planes of an even size.
class LogGaborBank {
 public:
  LogGaborBank(std::int64_t size, const LogGaborOptions& options);

  std::int64_t filters() const { return radial_.size(0) * angular_.size(0); }
  /// What filter `index` (orientation after orientation of the first scale, then the next) makes of a plane
  /// whose Fourier transform `spectrum` is (complex128 [size, size]): its real and its imaginary part,
  /// float64 [2, size, size]. The filters lie transposed, as IL-NIQE has them.
  Tensor response(const Tensor& spectrum, std::int64_t index) const;

 private:
  Tensor radial_, angular_;  // [scales, size, size], [orientations, size, size], float32 as in the source
};

}  // namespace sr
