#pragma once
// The Swin transformer as a recogniser of whole images. Paper: Liu et al., "Swin Transformer: Hierarchical
// Vision Transformer using Shifted Windows", ICCV 2021. Code held against: cswry/SeeSR
// ram/models/swin_transformer_lora.py SwinTransformer (@8edecc7), which is recognize-anything's.

#include <memory>
#include <string>
#include <vector>

#include "nets/swin_layers.h"

namespace sr {

/// Swin-L for images of 384 x 384.
struct SwinConfig {
  int64_t image_size = 384;  ///< side of the images it takes
  int64_t patch = 4;
  int64_t features = 192;  ///< of the first stage; each next one has twice as many, at half the side
  std::vector<int64_t> depths = {2, 2, 18, 2};
  std::vector<int64_t> heads = {6, 12, 24, 48};
  int64_t window = 12;  ///< at most: a smaller stage is one window
  double mlp_ratio = 4;
  double path_drop_rate = 0.1;  ///< in training, of the last layer; the first one's is 0
  LoraParts lora;               ///< of every layer's `attn.qkv` (see SwinLayerConfig)

  size_t stages() const { return depths.size(); }
  /// Side and channels of the map that a stage works on.
  int64_t side(size_t stage) const { return image_size / patch >> stage; }
  int64_t channels(size_t stage) const { return features << stage; }
  SwinLayerConfig layer(size_t stage, int64_t index) const;
  bool operator==(const SwinConfig&) const = default;
};

/// Two by two neighbours become one, of twice the channels.
class PatchMerging : public torch::nn::Module {
 public:
  explicit PatchMerging(int64_t channels);
  /// [N,H,W,C] -> [N,H/2,W/2,2C].
  Tensor forward(const Tensor& map) const;

  std::shared_ptr<LayerNorm> norm;
  std::shared_ptr<Linear> reduction;
};

/// Layers of one size (BasicLayer), and the merging after all but the last.
class SwinStage : public torch::nn::Module {
 public:
  SwinStage(const SwinConfig& config, size_t index);
  /// [N,side,side,C] -> [N,side/2,side/2,2C]; the last: -> the same.
  Tensor forward(const Tensor& map) const;

  std::vector<std::shared_ptr<SwinLayer>> blocks;
  std::shared_ptr<PatchMerging> downsample;  ///< null in the last stage

 private:
  WindowPlan windows_;
};

class Swin : public torch::nn::Module {
 public:
  /// Throws Error where sizes don't go together.
  explicit Swin(const SwinConfig& config);
  /// Normalised images [N,3,image_size,image_size] -> the last stage's tokens, row by row, normalised:
  /// [N, side^2, channels], float32. Throws Error for other sizes.
  Tensor forward(const Tensor& images) const;

  const SwinConfig& config() const { return config_; }

 private:
  Tensor embed(const Tensor& images) const;

  SwinConfig config_;
  std::shared_ptr<Conv2d> projection_;
  std::shared_ptr<LayerNorm> patch_norm_, norm_;
  std::vector<std::shared_ptr<SwinStage>> layers_;
};

/// The configuration behind the keys that begin with `prefix`. The image's side is read off the masks of
/// shifted windows where the file has them; else the last stage is taken for one window, as official ones
/// are. Throws Error that names a key where one is missing.
SwinConfig swin_config(const StateDict& weights, const std::string& prefix);

}  // namespace sr
