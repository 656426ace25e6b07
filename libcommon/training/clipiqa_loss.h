#pragma once
// CLIP-IQA with fixed prompts as a loss: -log of the score. The ablation in SFD's supplement (paper: see
// training/feat_d_loss.h): nothing opposes the generator, which finds images that please CLIP alone and
// collapses. The paper leaves the form open; here it is TG-D's generator loss.

#include <vector>

#include "quality/clipiqa.h"

namespace sr {

class ClipIqaLoss {
 public:
  /// Encodes the prompts on CLIP's device; `clip` is not needed any more then.
  ClipIqaLoss(const Clip& clip, const ClipTokenizer& tokenizer,
              const std::vector<PromptPair>& pairs = clipiqa_paper_prompts());

  /// Of CLIP's features [N,C] of the restored images (ClipImage::feature); a number.
  Tensor operator()(const Tensor& features) const;

 private:
  Tensor texts_;
  double scale_;
};

}  // namespace sr
