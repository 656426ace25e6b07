#pragma once
// The residual block of latent diffusion's networks, and their steps between resolutions.
// What flows between blocks keeps its type (float32) whatever the convolutions' is. Paper: Rombach et al.,
// "High-Resolution Image Synthesis with Latent Diffusion Models", CVPR 2022. Code held against:
// huggingface/diffusers src/diffusers/models/resnet.py ResnetBlock2D, Downsample2D, Upsample2D (v0.21.0).

#include <memory>

#include "nets/group_norm.h"
#include "nets/layers.h"

namespace sr {

struct ResnetBlockConfig {
  int64_t in = 320, out = 320;  ///< channels; where they differ, a 1x1 convolution leads the input across
  int64_t time_features = 0;    ///< of the time embedding; 0: takes none
  int64_t groups = 32;          ///< of the norms
  double epsilon = 1e-5;        ///< of the norms; the autoencoder has 1e-6
};

/// x + conv2(silu(norm2(conv1(silu(norm1(x))) + time))).
class ResnetBlock : public torch::nn::Module {
 public:
  explicit ResnetBlock(const ResnetBlockConfig& config);
  /// [N,in,H,W] -> [N,out,H,W]; `time` is silu of the time embedding [N,time_features], undefined where the
  /// block takes none.
  Tensor forward(const Tensor& map, const Tensor& time = {}) const;

  // Its parts, for who takes the norms' statistics from elsewhere:
  // forward(map, time) = across(map) + second(silu(norm2(first(silu(norm1(map)), time)))).
  Tensor first(const Tensor& normed, const Tensor& time = {}) const;
  Tensor second(const Tensor& normed) const { return conv2_->forward(normed); }
  Tensor across(const Tensor& map) const;
  const GroupNorm& norm1() const { return *norm1_; }
  const GroupNorm& norm2() const { return *norm2_; }
  /// That of the convolutions, for what the norms answer.
  at::ScalarType type() const { return conv1_->weight.scalar_type(); }

 private:
  std::shared_ptr<GroupNorm> norm1_, norm2_;
  std::shared_ptr<Conv2d> conv1_, conv2_, conv_shortcut_;  ///< the last is null where in == out
  std::shared_ptr<Linear> time_emb_proj_;                  ///< null: takes no time
};

/// A 3x3 convolution of stride 2, its key `conv`: [N,C,H,W] -> [N,C,H',W']. The U-Net pads by one all round
/// (H' = ceil(H / 2)); the autoencoder, `padded_all_round` false, below and to the right only (floor).
class Downsample : public torch::nn::Module {
 public:
  explicit Downsample(int64_t channels, bool padded_all_round = true);
  Tensor forward(const Tensor& map) const;

 private:
  std::shared_ptr<Conv2d> conv_;
  bool padded_all_round_;
};

/// Nearest-neighbour enlargement to twice the sides, or to `height` x `width`, and a 3x3 convolution, its key
/// `conv`.
class Upsample : public torch::nn::Module {
 public:
  explicit Upsample(int64_t channels);
  Tensor forward(const Tensor& map) const { return forward(map, 2 * map.size(2), 2 * map.size(3)); }
  Tensor forward(const Tensor& map, int64_t height, int64_t width) const;

 private:
  std::shared_ptr<Conv2d> conv_;
};

}  // namespace sr
