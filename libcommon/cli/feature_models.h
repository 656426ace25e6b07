#pragma once
// What sr-iqa features looks at pictures through: CLIP, and discriminators that were trained.

#include <functional>
#include <string>

#include "cli/weights_source.h"
#include "core/torch.h"

namespace sr {

/// A picture as a row of numbers.
struct FeatureModel {
  std::string about;  ///< one line: network, layer, where the file is one
  std::int64_t features = 0;
  bool semantic = false;  ///< looks at the HR picture too
  /// Of an image and its HR picture (where that isn't looked at it may be undefined), both [1,3,H,W] float32,
  /// RGB in [0,1]: float32 [features]. Safe from several threads. Throws Error where a size doesn't fit.
  std::function<Tensor(const Tensor& image, const Tensor& hr)> row;
};

/// By what the command line says: `clip`; `feat-d=FILE`; or FILE, a discriminator, which may be
/// - a checkpoint of an sr-train run, or the run's folder, whose newest it is then: the discriminator of the
///   GAN loss, else Feat-D, as the run's settings describe them;
/// - a discriminator's own weights, told by their keys, or Feat-D's with its prompts (--export-sfd).
/// `layer`: of `clip`, 1 to 4, or "embedding". Throws UsageError.
FeatureModel make_feature_model(const std::string& model, const std::string& layer, WeightsSource& source);

}  // namespace sr
