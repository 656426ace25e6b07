#pragma once
// EDSR. Paper: Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPRW 2017.
// Code held against: BasicSR basicsr/archs/edsr_arch.py.

#include <memory>
#include <optional>
#include <vector>

#include "nets/layers.h"
#include "nets/network.h"

namespace sr {

struct EDSRConfig {
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  int64_t features = 64;
  int64_t blocks = 16;
  int64_t scale = 4;  ///< 3 or a power of two
  double residual_scale = 1;
  double image_range = 255;                             ///< the network works on (image - mean) * range
  std::vector<double> mean = {0.4488, 0.4371, 0.4040};  ///< one a channel; not in checkpoints

  bool operator==(const EDSRConfig&) const = default;
};

/// x + residual_scale conv2(relu(conv1(x))), BasicSR's ResidualBlockNoBN (MSRResNet uses it too).
class ResidualBlock : public torch::nn::Module {
 public:
  explicit ResidualBlock(int64_t features, double residual_scale = 1);
  Tensor forward(const Tensor& input) const;

  std::shared_ptr<Conv2d> conv1, conv2;

 private:
  double residual_scale_;
};

class EDSR : public Network {
 public:
  explicit EDSR(const EDSRConfig& config);
  Tensor forward(const Tensor& input) override;
  NetworkShape shape() const override;
  const EDSRConfig& config() const { return config_; }

  std::shared_ptr<Conv2d> conv_first;
  std::vector<std::shared_ptr<ResidualBlock>> body;
  std::shared_ptr<Conv2d> conv_after_body;
  std::shared_ptr<ShuffleUpsampler> upsample;
  std::shared_ptr<Conv2d> conv_last;

 private:
  EDSRConfig config_;
};

/// The configuration behind these keys; nothing if they are no EDSR's. Keys don't tell range, mean and
/// residual scale: taken from the official checkpoints, range 255, DIV2K's mean, and 0.1 for the wide network
/// (EDSR_L, 256 features) but 1 for the others.
std::optional<EDSRConfig> detect_edsr(const StateDict& weights);

}  // namespace sr
