#pragma once
// The blocks of SeeSR's U-Net: residual blocks, after each a transformer that looks at the text, and one that
// looks at RAM's tokens of the image (representation cross-attention). Papers: Rombach et al.,
// "High-Resolution Image Synthesis with Latent Diffusion Models", CVPR 2022; Wu et al., "SeeSR: Towards
// Semantics-Aware Real-World Image Super-Resolution", CVPR 2024. Code held against: cswry/SeeSR
// models/unet_2d_blocks.py
// (@8edecc7). Maps are [N,C,H,W], float32 between layers whatever the weights are.

#include <memory>
#include <vector>

#include "nets/resnet_block.h"
#include "nets/transformer_2d.h"

namespace sr {

struct UnetBlockConfig {
  std::vector<int64_t> inputs;  ///< channels that each residual block takes
  int64_t channels = 320;       ///< that it answers with
  size_t attending = 0;         ///< how many of them, the first ones, have transformers after them
  int64_t time_features = 1280;
  int64_t groups = 32;            ///< of the norms
  double epsilon = 1e-5;          ///< of the residual blocks' norms
  int64_t heads = 5;              ///< of the transformers
  int64_t text_features = 1024;   ///< of the text's tokens
  int64_t image_features = 0;     ///< of the image's tokens; 0: no `image_attentions`
  bool linear_projection = true;  ///< of the transformers
};

/// What the transformers of a layer look at; undefined where it has none.
struct LayerMemory {
  Memory text, image;
};
using BlockMemory = std::vector<LayerMemory>;

/// What all blocks have: layers in a row.
class UnetBlock : public torch::nn::Module {
 public:
  /// Text [N,S,text_features], image tokens [N,S',image_features], the latter undefined where the block has
  /// no `image_attentions` -> a memory a layer.
  BlockMemory remember(const Tensor& text, const Tensor& image_tokens) const;
  /// Gradient checkpointing: layers are reckoned again in the backward pass instead of kept.
  void set_recomputing(bool on) { recomputing_ = on; }

 protected:
  explicit UnetBlock(const UnetBlockConfig& config);
  size_t layers() const { return layers_.size(); }
  /// One layer's map; `time` is silu of the time embedding [N,time_features].
  Tensor run(size_t layer, const Tensor& map, const Tensor& time, const BlockMemory& memory) const;

 private:
  struct Layer {
    std::shared_ptr<ResnetBlock> resnet;
    std::shared_ptr<Transformer2d> text, image;  ///< null where the layer has none

    Tensor forward(const Tensor& map, const Tensor& time, const LayerMemory& memory) const;
  };

  std::vector<Layer> layers_;
  bool recomputing_ = false;
};

/// CrossAttnDownBlock2D, or DownBlock2D where nothing attends; its keys `downsamplers.0` where it has that.
class DownBlock : public UnetBlock {
 public:
  DownBlock(const UnetBlockConfig& config, bool downsamples);
  /// Every layer's map, then the one at half the sides (rounded up) where the block has that: the last is the
  /// block's answer.
  std::vector<Tensor> forward(const Tensor& map, const Tensor& time, const BlockMemory& memory) const;

 private:
  std::shared_ptr<Downsample> downsample_;
};

/// UNetMidBlock2DCrossAttn: a residual block, transformers, a residual block.
class MidBlock : public UnetBlock {
 public:
  /// `inputs` and `attending` of the configuration don't count.
  explicit MidBlock(UnetBlockConfig config);
  Tensor forward(const Tensor& map, const Tensor& time, const BlockMemory& memory) const;
};

/// CrossAttnUpBlock2D, or UpBlock2D where nothing attends; its keys `upsamplers.0` where it has that.
class UpBlock : public UnetBlock {
 public:
  UpBlock(const UnetBlockConfig& config, bool upsamples);
  /// Each layer takes the last of `skips` off it, and has it as channels beside the map. Where the block
  /// upsamples, that is to the sides of the skip which is last then.
  Tensor forward(const Tensor& map, std::vector<Tensor>& skips, const Tensor& time,
                 const BlockMemory& memory) const;

 private:
  std::shared_ptr<Upsample> upsample_;
};

}  // namespace sr
