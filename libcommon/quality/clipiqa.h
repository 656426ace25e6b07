#pragma once
// CLIP-IQA: how much more an image is like a good prompt than like a bad one, by CLIP.
// Paper: Wang et al., "Exploring CLIP for Assessing the Look and Feel of Images", AAAI 2023.
// Source: chaofengc/IQA-PyTorch pyiqa/archs/clipiqa_arch.py CLIPIQA.forward, clip_model.py AttentionPool2d
// (@01ae427).
//
// Images are [1,3,H,W] RGB in [0,1], normalised by CLIP's mean and deviation; the whole image, no resizing
// and no cropping; shorter side 31 pixels or more. RN50, the attention pool's positional embedding left out
// (the text tower's is not). Score: softmax over exp(logit_scale) times the cosines with the two prompts of a
// pair, the mean over the pairs; 0 to 1, higher is better.
//
// Weights are OpenAI's RN50.pt; the vocabulary is bpe_simple_vocab_16e6.txt.gz.

#include <memory>
#include <string>
#include <vector>

#include "nets/clip.h"
#include "nets/clip_tokenizer.h"
#include "quality/clip_features.h"

namespace sr {

struct PromptPair {
  std::string good, bad;
};

/// "Good photo." / "Bad photo.": the paper's overall quality.
std::vector<PromptPair> clipiqa_paper_prompts();
/// The five pairs of pyiqa's `clipiqa`.
std::vector<PromptPair> clipiqa_five_prompts();
/// good, bad, good, bad, ...
std::vector<std::string> prompts_of(const std::vector<PromptPair>& pairs);

class ClipIqa {
 public:
  /// Encodes the prompts; `clip` is not needed any more then. Throws Error where there are none, or one is
  /// too long, or the towers don't fit each other.
  ClipIqa(std::shared_ptr<const ClipFeatures> features, const Clip& clip, const ClipTokenizer& tokenizer,
          std::vector<PromptPair> pairs = clipiqa_paper_prompts());

  double operator()(const Tensor& image) const;
  /// The same from features that are there already.
  double operator()(const ClipImage& image) const;
  /// One line for the header of a table.
  std::string describe() const;

  const Tensor& texts() const { return texts_; }  ///< [2P,C], good and bad in turn
  double scale() const { return scale_; }

 private:
  std::shared_ptr<const ClipFeatures> features_;
  std::vector<PromptPair> pairs_;
  Tensor texts_;
  double scale_;
};

}  // namespace sr
