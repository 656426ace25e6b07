#pragma once
// TOPIQ's network (CFANet), with and without reference. Paper: Chen et al., "TOPIQ: A Top-Down Approach From
// Semantics to Distortions for Image Quality Assessment", IEEE TIP 2024. Code held against:
// chaofengc/IQA-PyTorch pyiqa/archs/topiq_arch.py CFANet (@01ae427) with its ResNet-50, whose checkpoints
// cfanet_*_res50-*.pth hold these names under `params`.

#include <memory>
#include <vector>

#include "nets/resnet.h"
#include "nets/transformer.h"
#include "weights/state_dict.h"

namespace sr {

struct TopiqConfig {
  bool reference = false;  ///< compares with a reference image
  int64_t features = 256;  ///< of the tokens (inter_dim)
  int64_t hidden = 1024;   ///< of the layers after attention
  int64_t heads = 4;
  int64_t layers = 1;   ///< of each attention block
  int64_t classes = 1;  ///< of the answer: a score, or the shares of the scores 1, 2, ... (AVA: 10)

  bool operator==(const TopiqConfig&) const = default;
};

/// The configuration behind these keys. They don't tell the heads, which take 64 features each, as official
/// ones do. Throws Error where they are no TOPIQ's.
TopiqConfig topiq_config(const StateDict& weights);

/// One layer of self-attention, or of attention to other tokens: x += attention(norm1(x)[, norm2(memory)]);
/// x += linear2(gelu(linear1(norm(x)))), that norm being norm2, or norm3 where norm2 is the memory's.
class TopiqLayer : public torch::nn::Module {
 public:
  TopiqLayer(const TopiqConfig& config, bool looks_elsewhere);
  /// [N,L,features].
  Tensor forward(const Tensor& tokens) const;
  Tensor forward(const Tensor& tokens, const Tensor& memory) const;

 private:
  Tensor feed_forward(const Tensor& tokens) const;

  std::shared_ptr<MultiheadAttention> attention_;
  std::shared_ptr<LayerNorm> norm1_, norm2_, norm3_;
  std::shared_ptr<Linear> linear1_, linear2_;
};

/// Which places of a feature matter: three convolutions, GELU between them, then a sigmoid.
class TopiqGate {
 public:
  TopiqGate() = default;
  /// Registers the convolutions `0`, `2` and `4` in `parent`.
  TopiqGate(torch::nn::Module& parent, int64_t channels);
  /// [N,channels,H,W] -> [N,1,H,W].
  Tensor forward(const Tensor& feature) const;
  /// Makes the first convolution do a pointwise one before it as well.
  void precede(const Tensor& weight, const Tensor& bias);

 private:
  std::vector<std::shared_ptr<Conv2d>> convs_;
};

/// A feature of the backbone on its way to tokens: weighted place by place, pooled, reduced, self-attention.
class TopiqLevel {
 public:
  /// Registers `dim_reduce.N`, `weight_pool.N` and `sa_attn_blks.N` in their containers.
  TopiqLevel(torch::nn::Module& reduce, torch::nn::Module& pool, torch::nn::Module& attention, size_t index,
             const TopiqConfig& config);
  /// Spares `weight_pool.N` the half of its first convolution that only a linear layer follows.
  void fold();
  /// The feature of the image, and of the reference or undefined, weighted and averaged down to `size` where
  /// it is larger both ways: [N,.,H,W].
  Tensor pooled(const Tensor& feature, const Tensor& reference, at::IntArrayRef size) const;
  /// Those places as tokens [N,H*W,features]; `positions` [1,features,H,W] are added.
  Tensor tokens(const Tensor& pooled, const Tensor& positions) const;

 private:
  int64_t channels_;
  std::shared_ptr<Conv2d> splitconv_, reduce_;  ///< splitconv only without reference
  TopiqGate gate_;
  std::vector<std::shared_ptr<TopiqLayer>> layers_;
};

class TopiqNet : public torch::nn::Module {
 public:
  /// Throws Error where `weights` don't fit.
  TopiqNet(const TopiqConfig& config, const StateDict& weights);

  /// The five features of an image [N,3,H,W] normalised by ImageNet's mean and deviation.
  std::vector<Tensor> features(const Tensor& image) const { return backbone_->features(image); }
  /// Those of an image, and those of its reference (or none) -> the answer [N,classes]: a score, or shares
  /// that sum up to 1.
  Tensor judge(const std::vector<Tensor>& image, const std::vector<Tensor>& reference) const;

  const TopiqConfig& config() const { return config_; }

 private:
  void register_head();
  Tensor positions(at::IntArrayRef size) const;
  Tensor score(const Tensor& tokens) const;

  TopiqConfig config_;
  std::shared_ptr<ResNet> backbone_;
  std::vector<TopiqLevel> levels_;
  std::vector<std::vector<std::shared_ptr<TopiqLayer>>> cross_;  ///< from each level to the one below
  std::shared_ptr<TopiqLayer> pool_;
  std::shared_ptr<LayerNorm> score_norm1_, score_norm2_;
  std::shared_ptr<Linear> score1_, score2_, score3_;
  Tensor h_emb_, w_emb_;
};

}  // namespace sr
