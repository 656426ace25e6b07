#include "quality/sfd_iqa.h"

#include <cmath>
#include <fmt/format.h>

#include "core/error.h"

namespace sr {
namespace {

constexpr const char* kMeasure = "SFD-IQA";
constexpr double kFixedShare = 0.9, kLearntShare = 0.1;

}  // namespace

void check_feat_d(const FeatD& feat_d, const ClipFeatures& features) {
  const auto& expected = feat_d.config().channels;
  for (size_t level = 0; level < expected.size(); ++level) {
    if (expected[level] == features.config().channels(level)) continue;
    throw Error(fmt::format("Feat-D is for features of {} channels, not CLIP's {} at level {}",
                            expected[level], features.config().channels(level), level + 1));
  }
}

SfdIqa::SfdIqa(std::shared_ptr<const ClipFeatures> features, const Clip& clip, const ClipTokenizer& tokenizer,
               const StateDict& discriminators, SfdIqaPart part)
    : features_(std::move(features)), fixed_(features_, clip, tokenizer), part_(part) {
  const auto sfd = make_sfd(discriminators);
  feat_d_ = sfd->feat_d;
  feat_d_->fold();
  check_feat_d(*feat_d_, *features_);
  const at::NoGradGuard no_grad;
  learnt_ = sfd->tg_d->texts(clip);
}

double SfdIqa::operator()(const ClipImage& image) const {
  double score = fixed_(image);
  if (part_ != SfdIqaPart::feat_d) {
    const auto learnt = pair_scores(image.feature, learnt_, fixed_.scale()).item<double>();
    score = kFixedShare * score + kLearntShare * learnt;
  }
  if (part_ != SfdIqaPart::tg_d) score *= feat_d_->forward(image.levels).sigmoid().mean().item<double>();
  if (!std::isfinite(score)) throw Error("SFD-IQA came out as no number: the weights are broken");
  return score;
}

double SfdIqa::operator()(const Tensor& image) const { return (*this)((*features_)(image, kMeasure)); }

std::string SfdIqa::describe() const {
  const auto learnt = fmt::format("0.9 CLIP-IQA 'Good photo.' / 'Bad photo.' + 0.1 learnt prompts, {} pairs",
                                  learnt_.size(0) / 2);
  const bool fixed_alone = part_ == SfdIqaPart::feat_d;
  return fmt::format(
      "SFD-IQA ({}{}), CLIP RN50; RGB in [0,1] by CLIP's mean and deviation, whole image, no resizing; 0 to "
      "1, higher is better",
      fixed_alone ? "CLIP-IQA 'Good photo.' / 'Bad photo.'" : learnt,
      part_ == SfdIqaPart::tg_d ? "" : ", times the mean of Feat-D's map");
}

}  // namespace sr
