#pragma once
// PSNR, SSIM and PSNR-B as papers on super-resolution report them.
// Sources: XPixelGroup/BasicSR basicsr/metrics/psnr_ssim.py (PSNR, SSIM);
// JingyunLiang/SwinIR utils/util_calculate_psnr_ssim.py (PSNR-B).
//
// Images are [C, H, W], RGB or one channel, uint8, float32 or float64, values 0..255. The two must have the
// same size; Error otherwise, and where the crop leaves too little. Everything is summed in double precision,
// in an order that does not depend on the number of threads.

#include <cstdint>

#include "core/torch.h"

namespace sr {

/// What is compared: papers differ here, and a number says nothing without it.
struct Protocol {
  bool luma = false;             ///< compare Y of YCbCr (BT.601, not rounded); a grey image passes unscaled
  std::int64_t crop_border = 0;  ///< pixels cut off every edge, before the conversion; papers use the scale
  /// Added to the mean squared error of values in [0, 1] by `psnr`: 0 gives inf for equal images (BasicSR's
  /// numpy version), 1e-8 gives 80 dB (its torch version).
  double mse_floor = 0;
};

/// Peak signal-to-noise ratio in dB (peak 255); inf for equal images.
double psnr(const Tensor& a, const Tensor& b, const Protocol& protocol = {});

/// Structural similarity, at most 1: Gaussian window 11 x 11 of sigma 1.5, valid region only; the mean of the
/// channels. Needs 11 x 11 pixels after the crop.
double ssim(const Tensor& a, const Tensor& b, const Protocol& protocol = {});

/// PSNR less the blocking of `a` (8 x 8 JPEG blocks) in dB, the mean of the channels; not symmetric. Needs
/// 16 pixels on the longer side after the crop.
double psnr_b(const Tensor& a, const Tensor& b, const Protocol& protocol = {});

}  // namespace sr
