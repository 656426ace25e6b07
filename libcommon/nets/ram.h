#pragma once
// RAM, which names what is in an image, and DAPE, RAM that learnt by LoRA to say the same of degraded images.
// Papers: Zhang et al., "Recognize Anything: A Strong Image Tagging Model", CVPRW 2024; Wu et al., "SeeSR:
// Towards Semantics-Aware Real-World Image Super-Resolution", CVPR 2024. Code held against: cswry/SeeSR
// ram/models/ram_lora.py RAMLora (@8edecc7).

#include <memory>

#include "nets/swin.h"
#include "nets/tag_head.h"

namespace sr {

/// The official ram_swin_large_14m.
struct RamConfig {
  SwinConfig swin = {.lora = {true, false, true}};
  TagHeadConfig head;            ///< its `memory_features` are those of the embeddings
  int64_t classes = 4585;        ///< tags it knows
  int64_t label_features = 512;  ///< of a tag's own embedding, CLIP's

  bool operator==(const RamConfig&) const = default;
};

class Ram : public torch::nn::Module {
 public:
  /// Throws Error where sizes don't go together. LoRA may stand beside query and value of the Swin and query
  /// and key of the head; there is none yet.
  explicit Ram(const RamConfig& config);
  /// Images [N,3,image_size,image_size] by ImageNet's mean and deviation -> [N, 1 + tokens,
  /// memory_features], float32: the mean token, then those of the Swin, row by row (145 in the official
  /// network). What SeeSR's diffusion is shown of an image. Throws Error for images of other sizes.
  Tensor embed(const Tensor& images) const;
  /// Embeddings -> [N,classes], float32: the sigmoid of a logit is the tag's probability.
  Tensor logits(const Tensor& embeddings) const;

  const RamConfig& config() const { return config_; }

 private:
  RamConfig config_;
  std::shared_ptr<Swin> visual_encoder_;
  std::shared_ptr<Linear> image_proj_, wordvec_proj_, fc_;
  std::shared_ptr<TagHead> tagging_head_;
  Tensor label_embed_;
};

/// The checkpoint's tensors under this code's names: old files call the tagging head `vision_multi`.
StateDict ram_weights(const StateDict& checkpoint);

/// The configuration behind these keys (see `ram_weights`); nothing if they are not RAM's. They don't tell
/// the heads of the tagging head and the drop rates, which are the official ones.
std::optional<RamConfig> detect_ram(const StateDict& weights);

/// What is dropped in training: paths of the Swin (the last layer's rate, the first one's is 0), and of the
/// tagging head. Files don't tell.
struct RamDropRates {
  double path = SwinConfig{}.path_drop_rate, head = TagHeadConfig{}.drop_rate;
};

/// RAM from a checkpoint as it was read: eval mode, no gradients, LoRA too where the file holds it. What RAM
/// has besides (its text decoder, say) is passed over. Throws Error that lists what is missing or misshapen,
/// or says what kind of checkpoint it is instead.
std::shared_ptr<Ram> make_ram(const StateDict& checkpoint, const RamDropRates& drops = {});

/// Whether these are the tensors of LoRA alone, as DAPE's file holds them.
bool is_dape(const StateDict& weights);

/// Lays DAPE's LoRA over RAM; it learns until it is merged (see nets/lora.h). Files hold LoRA of RAM's text
/// decoder and tag encoder too, which was never trained and is passed over. Throws Error where it doesn't
/// fit, or says what kind of checkpoint it is instead.
void load_dape(Ram& ram, const StateDict& checkpoint);

/// DAPE's file as the official training saves it: copies of `ram`'s LoRA, which must be there, and that of
/// the text decoder and the tag encoder, zero. Throws Error where `ram` has none.
StateDict dape_file(const Ram& ram);

}  // namespace sr
