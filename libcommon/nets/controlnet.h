#pragma once
// The ControlNet that shows SeeSR's U-Net the LR picture. Papers: Zhang et al., "Adding Conditional Control
// to Text-to-Image Diffusion Models", ICCV 2023; Wu et al., "SeeSR: Towards Semantics-Aware Real-World Image
// Super-Resolution", CVPR 2024. Code held against: cswry/SeeSR models/controlnet.py ControlNetModel
// (@8edecc7), which is diffusers' (v0.21.0) with `image_attentions`.

#include <memory>
#include <vector>

#include "nets/conditioned_unet.h"

namespace sr {

/// A picture as a map of the latents' size: 3x3 convolutions with silu between them, two to a side, of which
/// the second halves it.
class PictureEncoder : public torch::nn::Module {
 public:
  /// `features`: channels of each side, which halves from one to the next.
  PictureEncoder(int64_t in, const std::vector<int64_t>& features, int64_t out);
  /// [N,in,8H,8W] -> [N,out,H,W], float32, where `features` are four.
  Tensor forward(const Tensor& picture) const;

 private:
  std::shared_ptr<Conv2d> conv_in_, conv_out_;
  std::vector<std::shared_ptr<Conv2d>> blocks_;
};

class ControlNet : public UnetEncoder {
 public:
  explicit ControlNet(const ControlNetConfig& config);
  /// Pictures [N,3,8H,8W] in [0, 1] -> what `forward` takes of them, the same for all steps of a sampler.
  Tensor embed(const Tensor& pictures) const { return controlnet_cond_embedding_->forward(pictures); }
  /// Latents [N,in_channels,H,W], timesteps [N] or [1], `conditions` as this network's `prepare` makes them,
  /// embedded pictures [N or 1,C,H,W] -> what the U-Net is to add, `strength` times.
  UnetMaps forward(const Tensor& latents, const Tensor& timesteps, const UnetConditions& conditions,
                   const Tensor& embedded, double strength = 1) const;

  const ControlNetConfig& config() const { return config_; }

 private:
  ControlNetConfig config_;
  std::shared_ptr<PictureEncoder> controlnet_cond_embedding_;
  std::vector<std::shared_ptr<Conv2d>> controlnet_down_blocks_;
  std::shared_ptr<Conv2d> controlnet_mid_block_;
};

/// As SeeSR's training begins (ControlNetModel.from_unet): copies of the U-Net's way down and middle, its
/// `image_attentions` too, between a picture encoder that PyTorch's defaults draw and convolutions that are
/// zero, so that it adds nothing yet.
std::shared_ptr<ControlNet> controlnet_of(const ConditionedUnet& unet, const at::Generator& generator);

}  // namespace sr
