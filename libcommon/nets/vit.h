#pragma once
// The Vision Transformer as timm builds it. Paper: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR
// 2021. Code held against: huggingface/pytorch-image-models timm/models/vision_transformer.py
// VisionTransformer (0.9.16).

#include <memory>
#include <vector>

#include "nets/transformer.h"

namespace sr {

struct VitConfig {
  int64_t image_size = 224;  ///< side of the images it takes
  int64_t patch = 16;
  int64_t features = 768;
  int64_t depth = 12;
  int64_t heads = 12;
  int64_t mlp_features = 3072;
  double norm_epsilon = 1e-6;

  int64_t patches_per_side() const { return image_size / patch; }
  bool operator==(const VitConfig&) const = default;
};

/// Self-attention with query, key and value in one projection (timm's Attention).
class PackedAttention : public torch::nn::Module {
 public:
  PackedAttention(int64_t features, int64_t heads);
  Tensor forward(const Tensor& tokens) const;

  std::shared_ptr<Linear> qkv, proj;

 private:
  int64_t heads_;
};

/// x += attn(norm1(x)); x += mlp(norm2(x)) (timm's Block).
class VitBlock : public torch::nn::Module {
 public:
  explicit VitBlock(const VitConfig& config);
  Tensor forward(const Tensor& tokens) const;

  std::shared_ptr<LayerNorm> norm1, norm2;
  std::shared_ptr<PackedAttention> attn;
  std::shared_ptr<Mlp> mlp;
};

/// The transformer up to its last block: the norm and the classifier after it are left out.
class Vit : public torch::nn::Module {
 public:
  explicit Vit(const VitConfig& config);
  /// [N,3,image_size,image_size] -> the tokens after block `first` and every block after it,
  /// [N, 1 + patches, features] each; the class token comes first.
  std::vector<Tensor> forward(const Tensor& images, size_t first) const;

  Tensor cls_token, pos_embed;
  std::shared_ptr<Conv2d> projection;
  std::vector<std::shared_ptr<VitBlock>> blocks;

 private:
  Tensor embed(const Tensor& images) const;
};

}  // namespace sr
