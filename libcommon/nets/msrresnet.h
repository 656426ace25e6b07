#pragma once
// MSRResNet, the batch-norm-free SRResNet of ESRGAN's authors.
// Paper: Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a GAN", CVPR 2017 (modified).
// Code held against: BasicSR basicsr/archs/srresnet_arch.py.

#include <memory>
#include <optional>
#include <vector>

#include "nets/edsr.h"

namespace sr {

struct MSRResNetConfig {
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  int64_t features = 64;
  int64_t blocks = 16;
  int64_t scale = 4;  ///< 1, 2, 3 or 4

  bool operator==(const MSRResNetConfig&) const = default;
};

/// ReLU inside the blocks, leaky ReLU (0.1) elsewhere, and the bilinearly enlarged input added at the end.
class MSRResNet : public Network {
 public:
  /// Throws Error for a scale it has no layers for.
  explicit MSRResNet(const MSRResNetConfig& config);
  Tensor forward(const Tensor& input) override;
  NetworkShape shape() const override;
  const MSRResNetConfig& config() const { return config_; }

  std::shared_ptr<Conv2d> conv_first;
  std::vector<std::shared_ptr<ResidualBlock>> body;
  std::vector<std::shared_ptr<Conv2d>>
      upconv;  ///< `upconv1`, and at x4 `upconv2`: each before a pixel shuffle
  std::shared_ptr<Conv2d> conv_hr, conv_last;

 private:
  MSRResNetConfig config_;
  std::vector<int64_t> factors_;
};

/// The configuration behind these keys; nothing if they are no MSRResNet's.
std::optional<MSRResNetConfig> detect_msrresnet(const StateDict& weights);

}  // namespace sr
