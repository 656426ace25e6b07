#pragma once
// CLIP's RN50 as SFD's losses look at images through it: frozen, batches at once, differentiable with respect
// to the images. The same features as quality/clip_features.h, which takes single images and no gradients.

#include <array>
#include <memory>

#include "nets/clip.h"
#include "quality/clip_features.h"

namespace sr {

class FrozenClip {
 public:
  /// Takes the image tower, on the device where it is, and folds its normalisations: it is for this alone
  /// (and for measures) from then on. Throws Error where it is a vision transformer.
  explicit FrozenClip(const Clip& clip);

  /// Images [N,3,H,W] of any float type, in [0,1], shorter side 31 pixels or more (throws Error): the
  /// features of all, one after the other.
  ClipImage operator()(const Tensor& images) const;
  double scale() const { return scale_; }   ///< by which CLIP multiplies cosines
  std::array<int64_t, 3> channels() const;  ///< of the features' levels

 private:
  std::shared_ptr<ModifiedResNet> tower_;
  double scale_;
};

}  // namespace sr
