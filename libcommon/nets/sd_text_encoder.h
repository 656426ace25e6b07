#pragma once
// Stable Diffusion's text encoder, CLIP's text tower under transformers' names: what the U-Net and the
// ControlNet look at in place of the prompt.
// Held against: huggingface/transformers src/transformers/models/clip/modeling_clip.py CLIPTextModel (v4.25).

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "nets/transformer.h"
#include "weights/state_dict.h"

namespace sr {

/// SD2's is OpenCLIP's ViT-H/14 without its last layer.
struct SdTextConfig {
  int64_t vocabulary = 49408;
  int64_t positions = 77;  ///< tokens of the longest text
  int64_t features = 1024;
  int64_t mlp_features = 4096;
  int64_t layers = 23;
  int64_t heads = 16;
  Gelu gelu = Gelu::exact;
  double norm_epsilon = 1e-5;

  bool operator==(const SdTextConfig&) const = default;
};

/// Reads text_encoder/config.json. Throws Error that names the key which is missing or not supported.
SdTextConfig sd_text_config(const nlohmann::json& json);

class SdTextLayer;

/// Tokens see those before them and no others; padding takes part as any token.
class SdTextEncoder : public torch::nn::Module {
 public:
  explicit SdTextEncoder(const SdTextConfig& config = {});

  /// Tokens [N,L] (int64), L up to `positions` -> [N,L,features]. Throws Error where a text is too long or a
  /// token not in the vocabulary.
  Tensor forward(const Tensor& tokens) const { return final_norm_->forward(transform(tokens)); }
  /// The same before the last norm.
  Tensor transform(const Tensor& tokens) const;
  const SdTextConfig& config() const { return config_; }

 private:
  void check(const Tensor& tokens) const;

  SdTextConfig config_;
  Tensor token_embedding_, position_embedding_;
  std::vector<std::shared_ptr<SdTextLayer>> layers_;
  std::shared_ptr<LayerNorm> final_norm_;
};

/// Builds the encoder and fills it (eval mode, float32, no gradients). Throws Error that lists missing,
/// unexpected and misshapen keys.
std::shared_ptr<SdTextEncoder> make_sd_text_encoder(const SdTextConfig& config, const StateDict& weights);

}  // namespace sr
