#pragma once
// The transformer layer of the Swin family. Paper: Liu et al., "Swin Transformer: Hierarchical Vision
// Transformer using Shifted Windows", ICCV 2021. Code held against: microsoft/Swin-Transformer
// models/swin_transformer.py SwinTransformerBlock and its copies in SwinIR, MANIQA and RAM.

#include <memory>
#include <optional>

#include "nets/lora.h"
#include "nets/windows.h"

namespace sr {

struct SwinLayerConfig {
  int64_t features = 96;
  int64_t heads = 6;
  int64_t window = 7;  ///< side
  int64_t mlp_features = 384;
  bool shifted = false;
  bool qkv_bias = true;
  std::optional<double> qk_scale = {};  ///< else 1 / sqrt(features / heads)
  double drop_rate = 0;                 ///< the three drop rates are for training only
  double attention_drop_rate = 0;
  double path_drop = 0;  ///< chance to leave a residual out, per image
  LoraParts lora = {};   ///< of `attn.qkv`; empty: a plain linear layer
};

/// Self-attention among the pixels of each window, with a learned bias for their relative position.
class WindowAttention : public torch::nn::Module {
 public:
  explicit WindowAttention(const SwinLayerConfig& config);
  /// [batch*windows, side^2, features] -> the same; `mask` undefined: windows are not shifted.
  Tensor forward(const Tensor& windows, const Tensor& positions, const Tensor& mask) const;

  Tensor relative_position_bias_table;  ///< [(2 side - 1)^2, heads]
  std::shared_ptr<Linear> qkv, proj;

 private:
  /// [heads, side^2, side^2].
  Tensor position_bias(const Tensor& positions, int64_t pixels) const;

  int64_t heads_;
  double scale_, attention_drop_, drop_;
};

/// The two linear layers after attention, exact GELU between them.
class SwinMLP : public torch::nn::Module {
 public:
  explicit SwinMLP(const SwinLayerConfig& config);
  Tensor forward(const Tensor& input) const;

  std::shared_ptr<Linear> fc1, fc2;

 private:
  double drop_;
};

/// x += attention(norm1(x)); x += mlp(norm2(x)).
class SwinLayer : public torch::nn::Module {
 public:
  explicit SwinLayer(const SwinLayerConfig& config);
  /// [N,H,W,features], sides whole windows.
  Tensor forward(const Tensor& input, const WindowPlan& plan) const;

  std::shared_ptr<LayerNorm> norm1, norm2;
  std::shared_ptr<WindowAttention> attn;
  std::shared_ptr<SwinMLP> mlp;

 private:
  Tensor attend(const Tensor& normalised, const WindowPlan& plan) const;
  Tensor dropped(const Tensor& residual) const;

  bool shifted_;
  double path_drop_;
};

/// Chance of layer `index` of a network of `depths` layers, counted through, to drop out: rises evenly from 0
/// to `rate`.
double rising_path_drop(double rate, const std::vector<int64_t>& depths, size_t group, int64_t index);

/// True for what official files store of windows and this code computes: masks, and indices of positions.
bool computed_of_windows(const std::string& key);

}  // namespace sr
