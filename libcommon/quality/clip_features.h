#pragma once
// What CLIP's RN50 sees in an image, reckoned once for all measures that ask for it (CLIP-IQA, SFD-IQA).
//
// Images are [1,3,H,W] RGB in [0,1], normalised by CLIP's mean and deviation; the whole image, not resized
// and not cropped. Weights are OpenAI's RN50.pt.

#include <array>
#include <memory>

#include "nets/clip.h"

namespace sr {

/// One image's features.
struct ClipImage {
  std::array<Tensor, 3> levels;  ///< F1, F2, F3: [1,256,H/4,W/4], [1,512,H/8,W/8], [1,1024,H/16,W/16]
  Tensor feature;                ///< [1,1024], the attention pool's, without its positional embedding
};

class ClipFeatures {
 public:
  /// Takes the image tower and folds its normalisations: it is for inference alone from then on. Throws Error
  /// where it is a vision transformer, which has none of these features and takes one size only.
  explicit ClipFeatures(const Clip& clip);

  /// Throws Error where the image is none (see quality/image_check.h) or has a side below 31 pixels;
  /// `measure` stands in the message.
  ClipImage operator()(const Tensor& image, const char* measure = "CLIP") const;
  /// What layer1, 2, 3 or 4 makes of the image, [1,C,H',W'], and no more than it takes. Throws as above.
  Tensor level(const Tensor& image, std::size_t level) const;
  const ClipResNetConfig& config() const { return tower_->config(); }

 private:
  std::vector<Tensor> features(const Tensor& image, const char* measure, std::size_t levels) const;

  std::shared_ptr<ModifiedResNet> tower_;
};

}  // namespace sr
