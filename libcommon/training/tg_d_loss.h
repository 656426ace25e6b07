#pragma once
// SFD's text-guided adversarial loss: binary cross-entropy of how much more an image is like the positive
// than like the negative prompt of a pair, the mean over the pairs (see `pair_scores`). Paper: SFD (see
// training/feat_d_loss.h), Sec. 3.2, Eq. 3 to 6. CLIP's scale of 100 makes scores of 0 and 1 in float32 of
// what is a little beyond; so all is reckoned in logarithms, whose gradients stay alive there.
//
// `features`: CLIP's of images, [N,C]; `texts`: [2P,C], positive and negative in turn (PromptPairs::texts);
// `scale`: of the cosines. Numbers, the mean over the images.

#include "core/torch.h"

namespace sr {

/// How far from good the restored images are taken to be. No gradient reaches the texts.
Tensor tg_d_generator_loss(const Tensor& features, const Tensor& texts, double scale);

/// One half of the prompts' loss each; the whole is their sum. No gradient reaches the features.
Tensor tg_d_real_loss(const Tensor& features, const Tensor& texts, double scale);
Tensor tg_d_fake_loss(const Tensor& features, const Tensor& texts, double scale);

}  // namespace sr
