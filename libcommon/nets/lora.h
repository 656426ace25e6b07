#pragma once
// LoRA: a linear layer stays as it is, and a product of two thin matrices beside it learns. Paper: Hu et al.,
// "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022. Code held against: microsoft/LoRA
// loralib/layers.py Linear, MergedLinear (@3f5c193), lora_alpha 1, whose names are kept: `lora_A`, `lora_B`.
//
// A layer that LoRA may stand beside is an ordinary one until `adapt_lora` or `load_lora`.

#include <string>
#include <vector>

#include "nets/layers.h"
#include "weights/state_dict.h"

namespace sr {

/// A layer's outputs, taken as that many equal parts: which of them LoRA changes. Query, key and value of one
/// projection are {true, false, true} where the key is left alone; {true}: all outputs.
using LoraParts = std::vector<bool>;

class LoraLinear : public Linear {
 public:
  LoraLinear(int64_t in, int64_t out, LoraParts parts = {true}, bool with_bias = true);
  /// weight x + bias, and (B A / rank) x where LoRA is there and not muted.
  Tensor forward(const Tensor& input) const override;

  /// Puts LoRA of `rank` beside the weights: zeros, float32, which learn. Any that was there is lost.
  void adapt(int64_t rank);
  bool adapted() const { return lora_A.defined(); }
  /// Without LoRA for a time: the layer answers as it did before `adapt`.
  void mute(bool muted) { muted_ = muted; }
  /// Adds LoRA to the weights (the sum is reckoned in float32) and takes it away.
  void merge();

  Tensor lora_A;  ///< [changed parts * rank, in]: each part's rows below the last one's
  Tensor lora_B;  ///< [outputs of changed parts, rank], as well

 private:
  void remove();
  /// B of every part where it meets its own rows of A: [out, changed parts * rank].
  Tensor spread_B() const;

  LoraParts parts_;
  bool muted_ = false;
};

/// `adapt` for every layer below `module` that can.
void adapt_lora(torch::nn::Module& module, int64_t rank);

/// LoRA's start: A uniform within +-1 / sqrt(inputs), B zero, so that nothing changes yet.
void draw_lora(torch::nn::Module& module, const at::Generator& generator);

/// Every `...lora_A` and `...lora_B` below `module` by its name; not copied.
StateDict lora_state(const torch::nn::Module& module);

/// Adapts `module` and fills its LoRA from the tensors of these names; their rank is read off. Other keys are
/// passed over: official files hold LoRA of layers that nobody uses. Throws Error where there is no LoRA
/// among them, or some is missing or misshapen.
void load_lora(torch::nn::Module& module, const StateDict& weights);

void mute_lora(torch::nn::Module& module, bool muted);
void merge_lora(torch::nn::Module& module);

}  // namespace sr
