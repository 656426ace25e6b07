#pragma once
// MANIQA's network. Paper: Yang et al., "MANIQA: Multi-dimension Attention Network for No-Reference Image
// Quality Assessment", CVPRW 2022. Code held against: chaofengc/IQA-PyTorch pyiqa/archs/maniqa_arch.py MANIQA
// and maniqa_swin.py (@01ae427), whose checkpoints (ckpt_koniq10k.pt, ckpt_kadid10k.pt,
// MANIQA_PIPAL-ae6d356b.pth) hold these names as they are, or with `module.` before each.

#include <memory>
#include <vector>

#include "nets/swin_layers.h"
#include "nets/vit.h"

namespace sr {

struct ManiqaConfig {
  VitConfig vit = {.patch = 8};
  int64_t attention_blocks = 2;          ///< token attention blocks before each Swin stage
  std::vector<int64_t> depths = {2, 2};  ///< Swin layers of each group, in both stages
  std::vector<int64_t> heads = {4, 4};
  int64_t window = 4;
  int64_t mlp_features = 768;
  double scale = 0.8;  ///< of a Swin group's residual: 0.8 for KonIQ and KADID weights, 0.13 for PIPAL's

  bool operator==(const ManiqaConfig&) const = default;
};

/// The configuration behind these keys. They don't tell `scale`, nor the heads of the ViT, which take 64
/// features each, as official ones do. Throws Error where they are no MANIQA's.
ManiqaConfig maniqa_config(const StateDict& weights);

/// Attention among channels: each is described by its values at all patches (TABlock).
class TokenAttention : public torch::nn::Module {
 public:
  explicit TokenAttention(int64_t patches);
  /// [N,C,patches].
  Tensor forward(const Tensor& input) const;

 private:
  std::shared_ptr<Linear> c_q_, c_k_, c_v_;
};

/// Swin layers, then a convolution with ReLU (BasicLayer).
class ManiqaSwinGroup : public torch::nn::Module {
 public:
  /// Group `index` of a stage of `features` channels.
  ManiqaSwinGroup(const ManiqaConfig& config, int64_t features, size_t index);
  /// [N,H,W,C].
  Tensor forward(const Tensor& input, const WindowPlan& plan) const;

 private:
  std::vector<std::shared_ptr<SwinLayer>> blocks_;
  std::shared_ptr<Conv2d> conv_;
};

/// Token attention, a pointwise convolution, then Swin groups, each added to its input with a weight.
class ManiqaStage {
 public:
  ManiqaStage() = default;
  /// Registers `tablock{number}`, `conv{number}` and `swintransformer{number}` in `parent`.
  ManiqaStage(torch::nn::Module& parent, int number, const ManiqaConfig& config, int64_t in, int64_t out);
  /// [N,in,patches] -> the same.
  Tensor attend(const Tensor& input) const;
  /// [N,in,patches] -> [N,H,W,out].
  Tensor refine(const Tensor& attended, const WindowPlan& plan) const;

 private:
  std::vector<std::shared_ptr<TokenAttention>> attention_;
  std::shared_ptr<Conv2d> conv_;
  std::vector<std::shared_ptr<ManiqaSwinGroup>> groups_;
  double scale_ = 0;
};

class ManiqaNet : public torch::nn::Module {
 public:
  /// What it thinks of each patch: [N,patches] both.
  struct Judgement {
    Tensor score, weight;
  };

  /// Throws Error where `weights` don't fit.
  ManiqaNet(const ManiqaConfig& config, const StateDict& weights);

  /// Crops [N,3,image_size,image_size] in [-1,1].
  Judgement forward(const Tensor& crops) const;

  // The steps of `forward`.
  /// Tokens after ViT blocks 6 to 9, class token first: [N, 1 + patches, C] each.
  std::vector<Tensor> taps(const Tensor& crops) const;
  /// Those four, without class token, one below the other: [N,4C,patches].
  static Tensor stacked(const std::vector<Tensor>& taps);
  const ManiqaStage& stage(size_t index) const { return stages_.at(index); }
  /// [N,H,W,C/2] -> scores and weights.
  Judgement rate(const Tensor& refined) const;

  const WindowPlan& windows() const { return windows_; }
  const ManiqaConfig& config() const { return config_; }

 private:
  ManiqaConfig config_;
  std::shared_ptr<Vit> vit_;
  std::vector<ManiqaStage> stages_;
  std::vector<std::shared_ptr<Linear>> score_, weight_;
  WindowPlan windows_;
};

}  // namespace sr
