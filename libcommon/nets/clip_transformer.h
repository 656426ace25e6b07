#pragma once
// CLIP's transformer, over the words of a text or the patches of an image.
// Code held against: openai/CLIP clip/model.py ResidualAttentionBlock, Transformer, VisionTransformer, CLIP
// (its text half). Batches come first here: [N,tokens,width].

#include <memory>
#include <string>
#include <vector>

#include "nets/clip_visual.h"
#include "nets/transformer.h"

namespace sr {

/// Two linear layers, the quick GELU between them.
class ClipMlp : public torch::nn::Module {
 public:
  explicit ClipMlp(int64_t width);
  Tensor forward(const Tensor& input) const;

  std::shared_ptr<Linear> c_fc, c_proj;
};

/// x += attn(ln_1(x)); x += mlp(ln_2(x)).
class ClipBlock : public torch::nn::Module {
 public:
  ClipBlock(int64_t width, int64_t heads);
  /// `mask` [tokens,tokens] is added to the attention's scores; undefined: every token sees all.
  Tensor forward(const Tensor& tokens, const Tensor& mask) const;

 private:
  Tensor attend(const Tensor& normalised, const Tensor& mask) const;

  int64_t heads_;
  std::shared_ptr<LayerNorm> ln_1_, ln_2_;
  std::shared_ptr<MultiheadAttention> attn_;
  std::shared_ptr<ClipMlp> mlp_;
};

class ClipTransformer : public torch::nn::Module {
 public:
  ClipTransformer(int64_t width, int64_t layers, int64_t heads);
  Tensor forward(const Tensor& tokens, const Tensor& mask = {}) const;

  std::vector<std::shared_ptr<ClipBlock>> resblocks;
};

struct ClipVitConfig {
  int64_t input_resolution = 224;  ///< side of the images it takes
  int64_t patch_size = 32;
  int64_t width = 768;
  int64_t layers = 12;
  int64_t heads = 12;  ///< OpenAI's have width / 64
  int64_t output_dim = 512;

  int64_t patches() const { return (input_resolution / patch_size) * (input_resolution / patch_size); }
  bool operator==(const ClipVitConfig&) const = default;
};

/// CLIP's image tower of patches.
class VisionTransformer : public ClipVisual {
 public:
  explicit VisionTransformer(const ClipVitConfig& config = {});
  Tensor forward(const Tensor& images) const override;
  /// The class token and the patches, positions added, normalised: what the transformer takes.
  Tensor embed(const Tensor& images) const;
  /// The class token, normalised; `project` makes it the image feature.
  Tensor class_token(const Tensor& tokens) const { return ln_post_->forward(tokens.select(1, 0)); }
  Tensor project(const Tensor& class_token) const { return at::matmul(class_token, proj); }
  const ClipVitConfig& config() const { return config_; }

  Tensor class_embedding, positional_embedding, proj;
  std::shared_ptr<ClipTransformer> transformer;

 private:
  ClipVitConfig config_;
  std::shared_ptr<Conv2d> conv1_;
  std::shared_ptr<LayerNorm> ln_pre_, ln_post_;
};

struct ClipTextConfig {
  int64_t embed_dim = 1024;  ///< of the text feature
  int64_t context_length = 77;
  int64_t vocab_size = 49408;  ///< the last two tokens are start and end
  int64_t width = 512;
  int64_t heads = 8;  ///< OpenAI's have width / 64
  int64_t layers = 12;

  int64_t start_token() const { return vocab_size - 2; }
  int64_t end_token() const { return vocab_size - 1; }
  bool operator==(const ClipTextConfig&) const = default;
};

/// CLIP's text tower. Tokens see only those before them, so nothing behind a text's end token matters.
class ClipText : public torch::nn::Module {
 public:
  explicit ClipText(const ClipTextConfig& config = {});
  /// Tokens [N,L] (int64), L up to `context_length`, the end token being the largest number -> [N,embed_dim].
  /// Reckons no further than the last end token.
  Tensor encode(const Tensor& tokens) const;
  /// The same of embedded tokens [N,L,width] (learnt ones, say), all texts ending at the last.
  Tensor encode_embedded(const Tensor& embedded) const;

  /// Embeddings of tokens [N,L] -> [N,L,width]; positions are not in them yet.
  Tensor embed(const Tensor& tokens) const;
  /// What the transformer makes of embeddings, positions added.
  Tensor transform(const Tensor& embedded) const;
  Tensor normalise(const Tensor& tokens) const { return ln_final_->forward(tokens); }
  Tensor project(const Tensor& normalised) const { return at::matmul(normalised, text_projection); }
  const ClipTextConfig& text_config() const { return config_; }

  Tensor positional_embedding, text_projection, token_embedding;

 private:
  ClipTextConfig config_;
  std::shared_ptr<ClipTransformer> transformer_;
  std::shared_ptr<LayerNorm> ln_final_;
};

}  // namespace sr
