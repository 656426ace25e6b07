#pragma once
// SRVGGNetCompact, the small network of Real-ESRGAN (realesr-general-x4v3, realesr-animevideov3).
// Code held against: Real-ESRGAN realesrgan/archs/srvgg_arch.py.

#include <memory>
#include <optional>
#include <vector>

#include "nets/layers.h"
#include "nets/network.h"

namespace sr {

struct SRVGGConfig {
  enum class Activation { prelu, relu, leaky_relu };  ///< leaky ReLU: slope 0.1

  int64_t in_channels = 3;
  int64_t out_channels = 3;
  int64_t features = 64;
  int64_t convs = 16;  ///< between the first and the last
  int64_t scale = 4;
  Activation activation = Activation::prelu;

  bool operator==(const SRVGGConfig&) const = default;
};

/// An activation that may have weights: PReLU's one slope a channel.
class SRVGGActivation : public torch::nn::Module {
 public:
  SRVGGActivation(SRVGGConfig::Activation kind, int64_t features);
  /// May overwrite `fresh`, the output of a convolution.
  Tensor forward(Tensor fresh) const;

  SRVGGConfig::Activation kind;
  Tensor weight;  ///< [features], PReLU only
};

/// All convolutions at low resolution, a pixel shuffle, and the nearest-neighbour enlarged input added.
class SRVGGNetCompact : public Network {
 public:
  explicit SRVGGNetCompact(const SRVGGConfig& config);
  Tensor forward(const Tensor& input) override;
  NetworkShape shape() const override;
  const SRVGGConfig& config() const { return config_; }

  /// Keys `body.0`, `body.2`, ...: each but the last is followed by its activation (`body.1`, `body.3`, ...).
  std::vector<std::shared_ptr<Conv2d>> convs;
  std::vector<std::shared_ptr<SRVGGActivation>> activations;

 private:
  SRVGGConfig config_;
};

/// The configuration behind these keys; nothing if they are no SRVGGNetCompact's. Activations without weights
/// can't be told apart and no published checkpoint has any: ReLU is taken.
std::optional<SRVGGConfig> detect_srvgg(const StateDict& weights);

}  // namespace sr
