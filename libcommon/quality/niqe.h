#pragma once
// NIQE, the natural image quality evaluator: Mittal, Soundararajan and Bovik, "Making a Completely Blind
// Image Quality Analyzer", 2013. Lower is better. Sources: XPixelGroup/BasicSR basicsr/metrics/niqe.py
// calculate_niqe; chaofengc/IQA-PyTorch pyiqa/archs/niqe_arch.py NIQE; the authors' MATLAB program for the
// fit (estimatemodelparam.m).
//
// Protocol: one plane of 0..255, rounded to integers, cropped to whole blocks of 96 x 96 pixels (from the top
// left corner, after the crop border); contrast under a 7 x 7 Gaussian of sigma 7/6 with replicated edges; 18
// features a block at the plane's size and 18 at half of it (MATLAB's bicubic with antialiasing); the
// distance of their mean and covariance to those of pristine pictures.
//
// An image is [1, 3, H, W], RGB in [0, 1], or [1, 1, H, W], whose values are used as they are. Error where it
// has fewer than 96 x 96 pixels after the crop, where it is not finite, and where no block has texture, as in
// a constant image.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/torch.h"
#include "quality/gaussian_model.h"
#include "weights/state_dict.h"

namespace sr {

/// Whose numbers: they differ by up to 5 % in pictures with flat areas.
enum class NiqeVariant {
  basicsr,       ///< Y of YCbCr (BT.601, 16..235), float32 maps: calculate_niqe's default
  basicsr_gray,  ///< OpenCV's gray instead (0..255), nearest to the original MATLAB program
  pyiqa,         ///< Y of YIQ (0..255), float64 maps: pyiqa's "niqe"
  pyiqa_ycbcr,   ///< Y of YCbCr, float64 maps
};

/// "basicsr", "basicsr-gray", "pyiqa" or "pyiqa-ycbcr"; throws UsageError otherwise.
NiqeVariant niqe_variant(std::string_view name);

struct NiqeOptions {
  NiqeVariant variant = NiqeVariant::basicsr;
  std::int64_t crop_border = 0;  ///< pixels cut off every edge
};

/// The plane that NIQE looks at, [H, W] in integers of 0..255, not yet cropped to blocks; float32 for
/// BasicSR's variants and float64 for pyiqa's.
Tensor niqe_plane(const Tensor& image, const NiqeOptions& options = {});

/// Such a plane at half the size, in its type (MATLAB's bicubic with antialiasing, reckoned in float32 in [0,
/// 1]).
Tensor niqe_half_size(const Tensor& plane);

constexpr std::int64_t kNiqeBlock = 96;
constexpr std::int64_t kNiqeFeatures = 36;

class Niqe {
 public:
  /// Of `mu_pris_param` [36] or [1, 36], `cov_pris_param` [36, 36] and `gaussian_window` [7, 7]. Throws Error
  /// that names the key which is missing or has another shape.
  explicit Niqe(const StateDict& parameters, const NiqeOptions& options = {});

  double operator()(const Tensor& image) const;
  /// Float64 [blocks, 36], column after column of blocks: 18 at the plane's size, 18 at half. NaN where a
  /// block has nothing to fit.
  Tensor features(const Tensor& image) const;
  /// The protocol in one line.
  std::string describe() const;

 private:
  NiqeOptions options_;
  Tensor window_;
  GaussianModel model_;
};

/// What a pristine picture gives to a fit: the features [blocks, 36] of its sharp blocks, whose mean local
/// deviation exceeds `sharpness` times that of the sharpest.
Tensor pristine_features(const Tensor& image, const NiqeOptions& options = {}, double sharpness = 0.75);

/// A model of pristine pictures from their features: float64 tensors that Niqe is built of. Rows with NaN do
/// not count in the covariance. Of fewer than 37 blocks the covariance is singular, and scores mean little.
/// Throws Error where fewer than two blocks are whole.
StateDict fit_niqe(const std::vector<Tensor>& features);

}  // namespace sr
