#pragma once
// SFD-IQA: quality without reference, from what SFD's discriminators learnt of good and restored images.
// Paper: Dong et al., "Exploring Semantic Feature Discrimination for Perceptual Image Super-Resolution and
// Opinion-Unaware No-Reference Image Quality Assessment", CVPR 2025, Sec. 3.3. No official code or weights
// are published; networks and file format: nets/feat_d.h.
//
//   score = (0.9 s_o + 0.1 s_lp) * mean over the map of sigmoid(Feat-D)
//
// Its parts alone, as the paper's Table 4 has them: s_o times Feat-D's mean; 0.9 s_o + 0.1 s_lp.
//
// s_o is CLIP-IQA with "Good photo." / "Bad photo." (quality/clipiqa.h), s_lp the same with the learnt pairs.
// Images are [1,3,H,W] RGB in [0,1], normalised by CLIP's mean and deviation; the whole image, no resizing
// and no cropping; shorter side 31 pixels or more. 0 to 1, higher is better.
//
// Weights are OpenAI's RN50.pt and the discriminators of a checkpoint that sr-train's SFD recipe wrote.

#include <memory>
#include <string>

#include "nets/feat_d.h"
#include "quality/clipiqa.h"

namespace sr {

/// Throws Error unless Feat-D is for features of these sizes.
void check_feat_d(const FeatD& feat_d, const ClipFeatures& features);

/// What counts beside the fixed prompts.
enum class SfdIqaPart { all, feat_d, tg_d };

class SfdIqa {
 public:
  /// `clip` is not needed any more afterwards. Throws Error where the weights don't fit, or not each other.
  SfdIqa(std::shared_ptr<const ClipFeatures> features, const Clip& clip, const ClipTokenizer& tokenizer,
         const StateDict& discriminators, SfdIqaPart part = SfdIqaPart::all);

  double operator()(const Tensor& image) const;
  /// The same from features that are there already.
  double operator()(const ClipImage& image) const;
  /// One line for the header of a table.
  std::string describe() const;

 private:
  std::shared_ptr<const ClipFeatures> features_;
  ClipIqa fixed_;
  std::shared_ptr<FeatD> feat_d_;
  SfdIqaPart part_;
  Tensor learnt_;  ///< text features of the learnt pairs
};

}  // namespace sr
