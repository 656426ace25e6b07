#pragma once
// MUSIQ's network. Paper: Ke et al., "MUSIQ: Multi-scale Image Quality Transformer", ICCV 2021.
// Code held against: chaofengc/IQA-PyTorch pyiqa/archs/musiq_arch.py MUSIQ (@01ae427), whose checkpoints
// musiq_*_ckpt-*.pth hold these names as they are.

#include <memory>
#include <vector>

#include "nets/group_norm.h"
#include "nets/transformer.h"
#include "weights/state_dict.h"

namespace sr {

struct MusiqConfig {
  int64_t patch = 32;  ///< side of the patches that become tokens; divisible by 4
  int64_t hidden = 384;
  int64_t mlp_features = 1152;
  int64_t heads = 6;
  int64_t layers = 14;
  int64_t scales = 3;
  int64_t grid = 10;    ///< positions are hashed to grid x grid
  int64_t classes = 1;  ///< of the answer: a score, or the shares of the scores 1, 2, ... (AVA: 10)

  bool operator==(const MusiqConfig&) const = default;
};

/// The configuration behind these keys; the number of heads is not told by them and stays the official 6.
/// Throws Error where they are no MUSIQ's.
MusiqConfig musiq_config(const StateDict& weights);

/// One layer of the transformer: x += attention(norm1(x)); x += mlp(norm2(x)).
class MusiqLayer : public torch::nn::Module {
 public:
  explicit MusiqLayer(const MusiqConfig& config);
  Tensor forward(const Tensor& tokens) const;

 private:
  Tensor attend(const Tensor& normalised) const;

  std::shared_ptr<LayerNorm> norm1_, norm2_;
  std::shared_ptr<Linear> query_, key_, value_, out_;
  std::shared_ptr<Mlp> mlp_;
  int64_t heads_;
};

class MusiqNet : public torch::nn::Module {
 public:
  /// Throws Error where `weights` don't fit.
  MusiqNet(const MusiqConfig& config, const StateDict& weights);

  /// Patches [L,3,patch,patch] in [-1,1] -> their features [L,256,patch/4,patch/4].
  Tensor stem(const Tensor& patches) const;
  /// Those features -> tokens [L,hidden], without positions.
  Tensor embed(const Tensor& features) const;
  /// Tokens of one image [L,hidden], the hashed position and the scale of each (int64 [L]) -> the answer
  /// [classes]: a score, or shares that sum up to 1.
  ///
  /// Official code pads short sequences with tokens that nobody may look at: scores of -1000 before the
  /// softmax. In float32 those get a weight of exactly 0, so they are left out here.
  Tensor judge(const Tensor& tokens, const Tensor& positions, const Tensor& scales) const;

  const MusiqConfig& config() const { return config_; }

 private:
  void register_stem();
  void register_encoder();
  void standardise();

  MusiqConfig config_;
  std::shared_ptr<Conv2d> conv_root_, conv1_, conv2_, conv3_, conv_proj_;
  std::shared_ptr<GroupNorm> gn_root_, gn1_, gn2_, gn3_, gn_proj_;
  std::shared_ptr<Linear> embedding_, head_;
  Tensor cls_, position_emb_, scale_emb_;
  std::vector<std::shared_ptr<MusiqLayer>> layers_;
  std::shared_ptr<LayerNorm> encoder_norm_;
};

}  // namespace sr
