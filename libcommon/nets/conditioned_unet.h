#pragma once
// The U-Net that tells noise from latents, steered by a text and, in SeeSR, by RAM's tokens of the image.
// Papers: Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", CVPR 2022; Wu et
// al., "SeeSR: Towards Semantics-Aware Real-World Image Super-Resolution", CVPR 2024. Code held against:
// cswry/SeeSR models/unet_2d_condition.py UNet2DConditionModel (@8edecc7), which is diffusers' (v0.21.0) with
// `image_attentions`.

#include <memory>
#include <string>
#include <vector>

#include "nets/unet_encoder.h"

namespace sr {

class ConditionedUnet : public UnetEncoder {
 public:
  explicit ConditionedUnet(const ConditionedUnetConfig& config);
  UnetConditions prepare(const Tensor& text, const Tensor& image_tokens) const override;
  void set_recomputing(bool on) override;
  /// Latents [N,in_channels,H,W] of any sides, timesteps [N] or [1], `conditions` as `prepare` makes them,
  /// `added` what a ControlNet answers or nothing -> the noise [N,out_channels,H,W], float32. Throws Error
  /// where the ControlNet is of another build.
  Tensor forward(const Tensor& latents, const Tensor& timesteps, const UnetConditions& conditions,
                 const UnetMaps& added = {}) const;

  const ConditionedUnetConfig& config() const { return config_; }

 private:
  ConditionedUnetConfig config_;
  std::vector<std::shared_ptr<UpBlock>> up_blocks_;
  std::shared_ptr<GroupNorm> conv_norm_out_;
  std::shared_ptr<Conv2d> conv_out_;
};

/// Whether SeeSR's training changes this parameter of the U-Net: one of its `image_attentions`. (Of the
/// ControlNet it changes all.)
bool is_image_attention(const std::string& key);

}  // namespace sr
