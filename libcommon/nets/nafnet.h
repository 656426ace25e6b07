#pragma once
// NAFNet for denoising and deblurring, and its local form for images larger than those it was trained on.
// Papers: Chen et al., "Simple Baselines for Image Restoration", ECCV 2022; Chu et al., "Improving Image
// Restoration by Revisiting Global Information Aggregation" (TLSC), ECCV 2022.
// Code held against: NAFNet basicsr/models/archs/NAFNet_arch.py, local_arch.py.

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "nets/layers.h"
#include "nets/network.h"

namespace sr {

struct NAFNetConfig {
  /// NAFNetLocal: channel attention pools over windows of 1.5 times the training size, not over the image.
  struct Local {
    std::array<int64_t, 2> train_size = {256, 256};  ///< height, width
    bool fast = false;  ///< the official `fast_imp`: pools over a sample of the pixels, another result

    bool operator==(const Local&) const = default;
  };

  int64_t channels = 3;  ///< of the image, in and out
  int64_t width = 16;    ///< features at full resolution; each level doubles them
  int64_t middle_blocks = 1;
  std::vector<int64_t> encoder_blocks;  ///< one number a level
  std::vector<int64_t> decoder_blocks;  ///< one number a level, from the lowest resolution up
  std::optional<Local> local;

  bool operator==(const NAFNetConfig&) const = default;
};

/// Where one level's channel attention averages.
struct PoolWindow {
  std::array<int64_t, 2> size;          ///< height, width
  std::array<int64_t, 2> stride_limit;  ///< fast form: at most every so-manieth pixel
  bool fast = false;
};

/// Means over windows of `window` around each pixel of [N,C,H,W] (at the border: of the nearest whole
/// window); one value a channel, [N,C,1,1], where the window covers the image.
Tensor local_mean(const Tensor& input, const PoolWindow& window);

class NAFBlock : public torch::nn::Module {
 public:
  explicit NAFBlock(int64_t channels);
  /// Without `window` the channel attention averages over everything.
  Tensor forward(const Tensor& input, const std::optional<PoolWindow>& window) const;

  std::shared_ptr<Conv2d> conv1, conv2, conv3, sca, conv4, conv5;
  std::shared_ptr<LayerNorm> norm1, norm2;
  Tensor beta, gamma;  ///< [1,channels,1,1], weights of the two residuals
};

/// A U-Net of NAFBlocks; the input is added to its output. Pads to 2^levels with zeros, and crops.
class NAFNet : public Network {
 public:
  /// Throws Error unless there are as many decoder as encoder levels.
  explicit NAFNet(const NAFNetConfig& config);
  Tensor forward(const Tensor& input) override;
  NetworkShape shape() const override;
  const NAFNetConfig& config() const { return config_; }

 private:
  using Blocks = std::vector<std::shared_ptr<NAFBlock>>;

  int64_t levels() const { return static_cast<int64_t>(config_.encoder_blocks.size()); }
  void register_levels();
  std::optional<PoolWindow> window(int64_t level) const;
  Tensor run(const Blocks& blocks, Tensor x, int64_t level) const;
  Tensor features(const Tensor& padded) const;

  NAFNetConfig config_;
  std::shared_ptr<Conv2d> intro_, ending_;
  std::vector<Blocks> encoders_, decoders_;
  Blocks middle_;
  std::vector<std::shared_ptr<Conv2d>> downs_, ups_;
};

/// The configuration behind these keys; nothing if they are no NAFNet's. Keys don't tell the local form,
/// which the official GoPro and REDS tests use (training size 256): it is taken, and up to 384 pixels a side
/// it is the same.
std::optional<NAFNetConfig> detect_nafnet(const StateDict& weights);

}  // namespace sr
