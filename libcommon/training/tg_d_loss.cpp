#include "training/tg_d_loss.h"

#include <cmath>

#include "nets/clip.h"

namespace sr {
namespace {

/// Cosine with the positive prompt less that with the negative one, scaled: [N,P].
Tensor leanings(const Tensor& features, const Tensor& texts, double scale) {
  const Tensor logits = clip_logits(features, texts, scale).unflatten(1, {-1, 2});
  return logits.select(-1, 0) - logits.select(-1, 1);
}

/// -log of the mean over the pairs of sigmoid(leaning), the mean over the images. Of the negated leanings it
/// is that of 1 - score.
Tensor cross_entropy(const Tensor& leanings) {
  const double pairs = static_cast<double>(leanings.size(1));
  return std::log(pairs) - at::log_sigmoid(leanings).logsumexp({1}).mean();
}

}  // namespace

Tensor tg_d_generator_loss(const Tensor& features, const Tensor& texts, double scale) {
  return cross_entropy(leanings(features, texts.detach(), scale));
}

Tensor tg_d_real_loss(const Tensor& features, const Tensor& texts, double scale) {
  return cross_entropy(leanings(features.detach(), texts, scale));
}

Tensor tg_d_fake_loss(const Tensor& features, const Tensor& texts, double scale) {
  return cross_entropy(-leanings(features.detach(), texts, scale));
}

}  // namespace sr
