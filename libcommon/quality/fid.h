#pragma once
// FID: how far two sets of images are apart, by Inception's features.
// Paper: Heusel et al., NeurIPS 2017 (see quality/frechet.h). Sources: mseitzer/pytorch-fid
// src/pytorch_fid/fid_score.py (@b9c1811), chaofengc/IQA-PyTorch pyiqa/archs/{fid_arch,inception}.py
// (@01ae427).
//
// Weights are pytorch-fid's pt_inception-2015-12-05-6726825d.pth. Below some thousands of images a set's FID
// is biased upwards; below 2048 the covariance is singular, which the distance copes with.

#include <string>
#include <vector>

#include "core/files.h"
#include "nets/inception.h"
#include "quality/frechet.h"

namespace sr {

/// How an image comes to 299 x 299 pixels.
enum class FidResize {
  legacy,  ///< pytorch-fid's "legacy_pytorch": bilinear without antialiasing
  clean,   ///< clean-fid's: PIL's bicubic, antialiased, in floats channel by channel
};

class FidFeatures {
 public:
  /// Throws Error where the weights don't fit; those of classifiers (`fc`, `AuxLogits`) are passed over.
  explicit FidFeatures(const StateDict& inception, FidResize resize = FidResize::legacy);

  /// [1,3,H,W] RGB in [0,1] -> [2048] float32. "Clean" is defined for 8-bit images: values are rounded to
  /// those. Throws Error where the image is none (see quality/image_check.h).
  Tensor operator()(const Tensor& image) const;
  /// One line for the header of a table.
  std::string describe() const;

  /// What the network sees of [1,3,H,W]: [1,3,299,299] in [-1,1].
  Tensor input(const Tensor& image) const;
  const Inception& network() const { return network_; }

 private:
  Inception network_;
  FidResize resize_;
  bool classifies_;  ///< the weights are torchvision's, of 1000 classes
};

/// Mean and unbiased covariance of images' features, [D] each. Throws Error below two images, and where
/// features differ in length or are no numbers.
FidStatistics fid_statistics(const std::vector<Tensor>& features);

/// `mu` and `sigma` of a .npz file, as pytorch-fid's --save-stats and clean-fid write them. Throws Error that
/// names what is missing, misshapen or not finite, and where `sigma` can be no covariance: it isn't symmetric
/// (to float32's rounding), or a variance is negative.
FidStatistics load_fid_statistics(const fs::path& npz);

/// The same file, whole or not at all.
void save_fid_statistics(const fs::path& npz, const FidStatistics& statistics);

}  // namespace sr
