#pragma once
// PSNR, SSIM and PSNR-B as papers on super-resolution report them.
// Sources: XPixelGroup/BasicSR basicsr/metrics/psnr_ssim.py (PSNR, SSIM);
// JingyunLiang/SwinIR utils/util_calculate_psnr_ssim.py (PSNR-B).
//
// Images are [C, H, W], RGB or one channel, uint8, float32 or float64, values 0..255. The two must have the
// same size; Error otherwise, and where the crop leaves too little. Everything is summed in double precision,
// in an order that does not depend on the number of threads.

#include <cstdint>
#include <string_view>

#include "core/torch.h"

namespace sr {

/// What is compared: papers differ here, and a number says nothing without it.
struct Protocol {
  bool luma = false;     ///< compare Y of YCbCr (BT.601); a grey image passes unscaled
  bool rounded = false;  ///< Y is rounded to integers, as MATLAB's rgb2ycbcr of uint8 does
  /// SSIM's structure term is cut off at 0, and Y rounded for it, whatever PSNR takes: pyiqa's.
  bool pyiqa_ssim = false;
  std::int64_t crop_border = 0;  ///< pixels cut off every edge, before the conversion; papers use the scale
  /// Added to the mean squared error of values in [0, 1] by `psnr`: 0 gives inf for equal images (BasicSR's
  /// numpy version), 1e-8 gives 80 dB (its torch version).
  double mse_floor = 0;
};

/// What papers compare, by name: "rgb" all colours, whole; "sr-y", and so "sed" and "sfd", Y without a border
/// of the scale; "matlab" rounded Y without that border; "seesr" Y, whole, as pyiqa does it (equal images
/// have 80 dB). Throws UsageError for other names.
Protocol protocol_named(std::string_view name, std::int64_t scale);

/// What of an image the protocol compares: the crop, then Y. `psnr` and `ssim` of two such images without any
/// colours and crop are those of the originals by it. Throws Error where the crop leaves nothing.
Tensor compared_part(const Tensor& image, const Protocol& protocol);

/// Peak signal-to-noise ratio in dB (peak 255); inf for equal images.
double psnr(const Tensor& a, const Tensor& b, const Protocol& protocol = {});

/// Structural similarity, at most 1: Gaussian window 11 x 11 of sigma 1.5, valid region only; the mean of the
/// channels. Needs 11 x 11 pixels after the crop.
double ssim(const Tensor& a, const Tensor& b, const Protocol& protocol = {});

/// PSNR less the blocking of `a` (8 x 8 JPEG blocks) in dB, the mean of the channels; not symmetric. Needs
/// 16 pixels on the longer side after the crop.
double psnr_b(const Tensor& a, const Tensor& b, const Protocol& protocol = {});

}  // namespace sr
