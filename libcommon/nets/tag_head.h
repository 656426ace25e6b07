#pragma once
// BERT's layers without self-attention: questions that look at an image's tokens, and not at each other.
// Papers: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", NAACL 2019; Liu et al.,
// "Query2Label", 2021. Code held against: cswry/SeeSR ram/models/bert_lora.py BertModel in mode "tagging"
// (@8edecc7), which is recognize-anything's `tagging_head`.

#include <memory>
#include <vector>

#include "nets/lora.h"

namespace sr {

struct TagHeadConfig {
  int64_t features = 768;         ///< of a question
  int64_t memory_features = 512;  ///< of what it looks at
  int64_t heads = 4;
  int64_t mlp_features = 3072;
  int64_t layers = 2;
  double drop_rate = 0.1;  ///< of attention and of both residuals, in training

  bool operator==(const TagHeadConfig&) const = default;
};

/// x = norm(x + attention(x, memory)); x = norm(x + mlp(x)): norms come after the sums.
class TagHeadLayer : public torch::nn::Module {
 public:
  explicit TagHeadLayer(const TagHeadConfig& config);
  /// Questions [N,L,features], or [1,L,features] that are the same for all; memory [N,S,memory_features]
  /// -> [N,L,features].
  Tensor forward(const Tensor& questions, const Tensor& memory) const;

 private:
  void register_attention(const TagHeadConfig& config);
  void register_mlp(const TagHeadConfig& config);
  Tensor attend(const Tensor& questions, const Tensor& memory) const;
  Tensor dropped(const Tensor& residual) const;

  std::shared_ptr<LoraLinear> query_, key_;
  std::shared_ptr<Linear> value_, mixed_, wide_, narrow_;
  std::shared_ptr<LayerNorm> attention_norm_, mlp_norm_;
  int64_t heads_;
  double drop_rate_;
};

class TagHead : public torch::nn::Module {
 public:
  explicit TagHead(const TagHeadConfig& config);
  /// As TagHeadLayer.
  Tensor forward(const Tensor& questions, const Tensor& memory) const;

 private:
  std::vector<std::shared_ptr<TagHeadLayer>> layers_;
};

}  // namespace sr
