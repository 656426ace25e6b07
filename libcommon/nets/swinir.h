#pragma once
// SwinIR. Paper: Liang et al., "SwinIR: Image Restoration Using Swin Transformer", ICCVW 2021.
// Code held against: SwinIR models/network_swinir.py (which pads to whole windows; BasicSR's copy does not).

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "nets/network.h"
#include "nets/swin_layers.h"

namespace sr {

struct SwinIRConfig {
  /// pixelshuffle (classical), pixelshuffledirect (lightweight), nearest+conv (real-world), '' (denoising,
  /// JPEG)
  enum class Upsampler { shuffle, shuffle_direct, nearest_conv, none };

  /// Of the training patches. Matters only for whether windows shift: they don't if its smaller side is no
  /// larger than a window (which it then becomes).
  std::array<int64_t, 2> image_size = {64, 64};
  int64_t patch_size = 1;  ///< divides `image_size`, nothing else
  int64_t channels = 3;    ///< of the image, in and out
  int64_t embedding = 96;
  std::vector<int64_t> depths = {6, 6, 6, 6};  ///< layers of each residual group
  std::vector<int64_t> heads = {6, 6, 6, 6};   ///< attention heads of each residual group
  int64_t window = 7;
  double mlp_ratio = 4;
  bool qkv_bias = true;
  std::optional<double> qk_scale;  ///< else 1 / sqrt(embedding / heads)
  double drop_rate = 0;            ///< the three drop rates are for training only
  double attention_drop_rate = 0;
  double path_drop_rate = 0.1;
  bool position_embedding = false;  ///< `ape`: fits inputs of `image_size` only
  bool patch_norm = true;
  int64_t scale = 2;
  double image_range = 1;
  Upsampler upsampler = Upsampler::none;
  bool three_convs = false;  ///< resi_connection '3conv': bottleneck convolutions after each group

  /// Side of the windows that the layers use.
  int64_t effective_window() const;
  /// By how much every second layer shifts its windows; 0: not at all.
  int64_t shift() const;
  int64_t mlp_features() const { return static_cast<int64_t>(static_cast<double>(embedding) * mlp_ratio); }
  /// Output side / input side as the layers make it (nearest+conv knows only 2 and 4).
  int64_t layer_scale() const;
  /// Of layer `index` of residual group `group`.
  SwinLayerConfig layer(size_t group, int64_t index) const;
  bool operator==(const SwinIRConfig&) const = default;
};

/// Layers, then one or three convolutions, then the input again (RSTB of the paper).
class SwinGroup : public torch::nn::Module {
 public:
  SwinGroup(const SwinIRConfig& config, size_t index);
  /// [N,H,W,embedding].
  Tensor forward(const Tensor& input, const WindowPlan& plan) const;

  std::vector<std::shared_ptr<SwinLayer>> blocks;
  std::vector<std::shared_ptr<Conv2d>> convs;
};

/// The convolution `name`, or the three of '3conv' (`name.0`, `name.2`, `name.4`, the middle one pointwise).
std::vector<std::shared_ptr<Conv2d>> register_residual_convs(torch::nn::Module& parent,
                                                             const std::string& name,
                                                             const SwinIRConfig& config);

/// Runs them, leaky ReLU (0.2) between; [N,embedding,H,W].
Tensor residual_convs(const std::vector<std::shared_ptr<Conv2d>>& convs, const Tensor& features);

class SwinIR : public Network {
 public:
  /// Throws Error where depths and heads don't match each other or the embedding.
  explicit SwinIR(const SwinIRConfig& config);
  Tensor forward(const Tensor& input) override;
  NetworkShape shape() const override;
  bool recomputes(const std::string& key) const override;
  const SwinIRConfig& config() const { return config_; }

 private:
  void check() const;
  void register_head();
  void register_tail();
  WindowPlan plan(int64_t height, int64_t width, const Tensor& like);
  Tensor deep_features(const Tensor& shallow);
  Tensor reconstruct(const Tensor& features) const;
  Tensor reconstruct_nearest(const Tensor& features) const;

  SwinIRConfig config_;
  std::shared_ptr<Conv2d> conv_first_;
  std::shared_ptr<LayerNorm> patch_norm_, norm_;
  Tensor absolute_pos_embed_;
  std::vector<std::shared_ptr<SwinGroup>> layers_;
  std::vector<std::shared_ptr<Conv2d>> conv_after_body_;
  std::shared_ptr<Conv2d> conv_before_upsample_, conv_up1_, conv_up2_, conv_hr_, conv_last_;
  std::shared_ptr<ShuffleUpsampler> upsample_;

  std::mutex plan_mutex_;          ///< tiles may come from several threads
  std::vector<WindowPlan> plans_;  ///< of the last few sizes
  std::vector<std::array<int64_t, 2>> plan_sizes_;
};

/// The configuration behind these keys; nothing if they are no SwinIR's. What they don't tell follows the
/// official checkpoints: image range 255 without upsampler and with windows of 7 (JPEG), else 1; windows
/// shift (image size 64) where the file holds no buffers at all.
std::optional<SwinIRConfig> detect_swinir(const StateDict& weights);

}  // namespace sr
