#pragma once
// What SeeSR's U-Net and its ControlNet have in common: the way down and the middle. Code held against:
// cswry/SeeSR models/unet_2d_condition.py, models/controlnet.py (@8edecc7).

#include <memory>
#include <string>
#include <vector>

#include "nets/timestep_embedding.h"
#include "nets/unet_blocks.h"
#include "nets/unet_config.h"

namespace sr {

/// What a network makes of text and image tokens, which stay the same for all steps of a sampler and all
/// tiles of a picture: keys and values of every cross-attention.
struct UnetConditions {
  std::vector<BlockMemory> down, up;  ///< `up` is empty in a ControlNet's
  BlockMemory middle;
};

/// What the way down leaves for the way up, or what a ControlNet adds to it.
struct UnetMaps {
  std::vector<Tensor>
      skips;  ///< conv_in's, and of each level every layer's and the downsampled one, in order
  Tensor middle;
};

class UnetEncoder : public torch::nn::Module {
 public:
  /// Text [N,S,text_features]; image tokens [N,S',image_features]; undefined: layers that look at them are
  /// passed over.
  /// Where N is 1 the conditions serve batches of any size. Where the network learns, to be made anew for
  /// every step.
  virtual UnetConditions prepare(const Tensor& text, const Tensor& image_tokens) const;
  /// Gradient checkpointing: layers are reckoned again in the backward pass instead of kept.
  virtual void set_recomputing(bool on);

 protected:
  UnetEncoder(const std::string& name, const UnetEncoderConfig& config);
  /// Timesteps [N] -> what residual blocks take, silu of the time embedding.
  Tensor embed_time(const Tensor& timesteps) const;
  /// Latents [N,in_channels,H,W] -> the first map, float32.
  Tensor enter(const Tensor& latents) const { return conv_in_->forward(latents).to(at::kFloat); }
  UnetMaps encode(const Tensor& first, const Tensor& time, const UnetConditions& conditions) const;

 private:
  std::shared_ptr<Conv2d> conv_in_;
  std::shared_ptr<TimestepEmbedding> time_embedding_;
  std::vector<std::shared_ptr<DownBlock>> down_blocks_;
  std::shared_ptr<MidBlock> mid_block_;
};

/// Channels of UnetMaps::skips.
std::vector<int64_t> skip_channels(const UnetEncoderConfig& config);

/// What all blocks of a level have, its transformers among it; inputs apart, and nothing attends yet.
UnetBlockConfig level_config(const UnetEncoderConfig& config, size_t level);

}  // namespace sr
