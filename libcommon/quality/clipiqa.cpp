#include "quality/clipiqa.h"

#include <cmath>
#include <fmt/format.h>

#include "core/error.h"

namespace sr {
namespace {

constexpr const char* kMeasure = "CLIP-IQA";

}  // namespace

std::vector<PromptPair> clipiqa_paper_prompts() { return {{"Good photo.", "Bad photo."}}; }

std::vector<PromptPair> clipiqa_five_prompts() {
  return {{"Good image", "bad image"},
          {"Sharp image", "blurry image"},
          {"sharp edges", "blurry edges"},
          {"High resolution image", "low resolution image"},
          {"Noise-free image", "noisy image"}};
}

std::vector<std::string> prompts_of(const std::vector<PromptPair>& pairs) {
  std::vector<std::string> prompts;
  for (const PromptPair& pair : pairs) prompts.insert(prompts.end(), {pair.good, pair.bad});
  return prompts;
}

ClipIqa::ClipIqa(std::shared_ptr<const ClipFeatures> features, const Clip& clip,
                 const ClipTokenizer& tokenizer, std::vector<PromptPair> pairs)
    : features_(std::move(features)), pairs_(std::move(pairs)), scale_(clip.scale()) {
  if (pairs_.empty()) throw Error("CLIP-IQA needs a pair of prompts");
  if (features_->config().output_dim != clip.text_config().embed_dim) {
    throw Error(
        fmt::format("CLIP's towers don't fit each other: image features of {} numbers, text features of {}",
                    features_->config().output_dim, clip.text_config().embed_dim));
  }
  const at::NoGradGuard no_grad;
  texts_ = clip.encode(tokenizer.tokenize(prompts_of(pairs_)));
}

double ClipIqa::operator()(const ClipImage& image) const {
  const auto score = pair_scores(image.feature, texts_, scale_).item<double>();
  if (!std::isfinite(score)) throw Error("CLIP-IQA came out as no number: the weights are broken");
  return score;
}

double ClipIqa::operator()(const Tensor& image) const { return (*this)((*features_)(image, kMeasure)); }

std::string ClipIqa::describe() const {
  std::string prompts;
  for (const PromptPair& pair : pairs_) {
    prompts += fmt::format("{}'{}' / '{}'", prompts.empty() ? "" : ", ", pair.good, pair.bad);
  }
  return fmt::format(
      "CLIP-IQA, CLIP RN50 without the attention pool's positions; RGB in [0,1] by CLIP's mean and "
      "deviation, whole "
      "image, no resizing; {}; 0 to 1, higher is better",
      prompts);
}

}  // namespace sr
