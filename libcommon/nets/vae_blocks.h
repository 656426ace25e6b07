#pragma once
// What latent diffusion's autoencoder is made of, as steps that pictures and tiles of them take alike.
// Nothing in a step sees further than a few places around, but for its group norm, whose statistics a tile
// may be given, and the attention of the middle. Code held against: huggingface/diffusers
// src/diffusers/models/ unet_2d_blocks.py DownEncoderBlock2D, UNetMidBlock2D, UpDecoderBlock2D,
// attention_processor.py Attention (v0.21.0).

#include <functional>
#include <memory>
#include <vector>

#include "nets/resnet_block.h"

namespace sr {

inline constexpr double kVaeEpsilon = 1e-6;  ///< of all norms

/// A picture, or a tile of one, between two steps.
struct VaeState {
  Tensor map;         ///< [N,C,H,W]
  Tensor trunk = {};  ///< what the residual block's second half will add; undefined outside
};

/// A group norm and what follows it up to the next one.
struct VaeStep {
  const GroupNorm* norm = nullptr;   ///< null: none
  bool silu = true;                  ///< behind the norm
  at::ScalarType type = at::kFloat;  ///< in which the norm is to answer
  /// From the state before the norm, and the map behind it.
  std::function<VaeState(const VaeState& state, const Tensor& normed)> rest;

  /// By the map's own statistics, or those `given` of the picture that it is a tile of.
  VaeState run(const VaeState& state, const GroupStatistics* given = nullptr) const;
  Tensor normed(const Tensor& map, const GroupStatistics* given) const;
};

/// To be used while the network lives and its weights keep their type.
using VaeSteps = std::vector<VaeStep>;

/// A step without norm.
VaeStep step_of(std::function<Tensor(const Tensor&)> part);

/// Takes all steps: [N,C,H,W] -> [N,C',H',W'].
Tensor run_steps(const VaeSteps& steps, const Tensor& input);

/// One head of attention over all channels, among all places of a map; the map is added.
class VaeAttention : public torch::nn::Module {
 public:
  VaeAttention(int64_t channels, int64_t groups);
  void add_steps(VaeSteps& steps) const;

 private:
  Tensor attend(const Tensor& normed) const;

  std::shared_ptr<GroupNorm> group_norm_;
  std::shared_ptr<Linear> to_q_, to_k_, to_v_, to_out_;
};

/// Residual block, attention, residual block: UNetMidBlock2D.
class VaeMiddle : public torch::nn::Module {
 public:
  VaeMiddle(int64_t channels, int64_t groups);
  void add_steps(VaeSteps& steps) const;

 private:
  std::vector<std::shared_ptr<ResnetBlock>> resnets_;
  std::shared_ptr<VaeAttention> attention_;
};

struct VaeLevelConfig {
  enum class Then { stay, halve, enlarge };

  int64_t in = 128, out = 128;  ///< channels
  int64_t blocks = 2;
  int64_t groups = 32;     ///< of the norms
  Then then = Then::stay;  ///< the way to the next level
};

/// Residual blocks at one resolution, and the way to the next: DownEncoderBlock2D, UpDecoderBlock2D.
class VaeLevel : public torch::nn::Module {
 public:
  explicit VaeLevel(const VaeLevelConfig& config);
  void add_steps(VaeSteps& steps) const;

 private:
  std::vector<std::shared_ptr<ResnetBlock>> resnets_;
  std::shared_ptr<Downsample> downsampler_;  ///< null but where it halves
  std::shared_ptr<Upsample> upsampler_;      ///< null but where it enlarges
};

}  // namespace sr
