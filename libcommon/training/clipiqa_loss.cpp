#include "training/clipiqa_loss.h"

#include "training/tg_d_loss.h"

namespace sr {

ClipIqaLoss::ClipIqaLoss(const Clip& clip, const ClipTokenizer& tokenizer,
                         const std::vector<PromptPair>& pairs)
    : scale_(clip.scale()) {
  const at::NoGradGuard no_grad;
  texts_ = clip.encode(tokenizer.tokenize(prompts_of(pairs)).to(clip.logit_scale.device()));
}

Tensor ClipIqaLoss::operator()(const Tensor& features) const {
  return tg_d_generator_loss(features, texts_, scale_);
}

}  // namespace sr
