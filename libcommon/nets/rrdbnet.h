#pragma once
// RRDBNet, the generator of ESRGAN, BSRGAN and Real-ESRGAN.
// Paper: Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", ECCVW 2018.
// Code held against: BasicSR basicsr/archs/rrdbnet_arch.py, SFD (= BSRGAN) rrdbnet_arch.py,
// KAIR models/network_rrdb.py, spandrel's ESRGAN (oldest names).

#include <memory>
#include <optional>
#include <vector>

#include "nets/layers.h"
#include "nets/network.h"

namespace sr {

struct RRDBNetConfig {
  enum class Upsampling {
    nearest,
    pixel_shuffle,
    transposed
  };                                           ///< KAIR's upconv, pixelshuffle, convtranspose
  enum class Activation { leaky_relu, relu };  ///< slope 0.2; KAIR's act_mode L, R

  int64_t in_channels = 3;  ///< of the image, before any pixel-unshuffle
  int64_t out_channels = 3;
  int64_t features = 64;
  int64_t blocks = 23;
  int64_t growth = 32;
  int64_t unshuffle = 1;                       ///< BasicSR: 2 for its x2 network, 4 for its x1 network
  std::vector<int64_t> enlargements = {2, 2};  ///< factor of each upsampling step
  Upsampling upsampling = Upsampling::nearest;
  Activation activation = Activation::leaky_relu;

  /// BasicSR's `scale`: 2 and 1 unshuffle the input; all enlarge twofold twice.
  static RRDBNetConfig basicsr(int64_t scale);
  /// Output side / input side.
  int64_t scale() const;
  bool operator==(const RRDBNetConfig&) const = default;
};

/// Five convolutions, each fed with all that came before: x + 0.2 conv5([x, x1, x2, x3, x4]).
class ResidualDenseBlock : public torch::nn::Module {
 public:
  explicit ResidualDenseBlock(const RRDBNetConfig& config);
  /// [N,features,H,W] -> the same, in the input's type.
  Tensor forward(const Tensor& input) const;
  /// As BasicSR begins: normal by He's rule, a tenth of it; biases 0.
  void draw(const at::Generator& generator);

  std::shared_ptr<Conv2d> conv1, conv2, conv3, conv4, conv5;

 private:
  RRDBNetConfig::Activation activation_;
};

/// Residual in residual: x + 0.2 rdb3(rdb2(rdb1(x))).
class RRDB : public torch::nn::Module {
 public:
  explicit RRDB(const RRDBNetConfig& config);
  Tensor forward(const Tensor& input) const;
  void draw(const at::Generator& generator);

  std::shared_ptr<ResidualDenseBlock> rdb1, rdb2, rdb3;
};

/// Parameters carry BasicSR's names (`body.0.rdb1.conv1.weight`).
class RRDBNet : public Network {
 public:
  explicit RRDBNet(const RRDBNetConfig& config);
  /// The input's sides must divide by `unshuffle`; throws Error otherwise.
  Tensor forward(const Tensor& input) override;
  NetworkShape shape() const override;
  /// As BasicSR begins: the dense blocks small, all else as PyTorch.
  void draw(const at::Generator& generator);
  const RRDBNetConfig& config() const { return config_; }

  /// What stands before the body: image -> features. Throws Error where the sides don't divide.
  Tensor embed(const Tensor& image) const;
  /// What stands after it: `first` from `embed`, `last` from the body -> image.
  Tensor reconstruct(const Tensor& first, const Tensor& last) const;

  std::shared_ptr<Conv2d> conv_first;
  std::vector<std::shared_ptr<RRDB>> body;
  std::shared_ptr<Conv2d> conv_body;
  std::vector<std::shared_ptr<Conv2d>>
      conv_up;  ///< one a step of `enlargements`: `conv_up1`, `conv_up2`, ...
  std::shared_ptr<Conv2d> conv_hr, conv_last;

 private:
  void register_upsampling();
  Tensor enlarge(const Tensor& features, size_t step) const;

  RRDBNetConfig config_;
};

/// Renames any of the four key layouts to BasicSR's; what is no RRDBNet comes back as it is.
/// (BasicSR `body.0.rdb1.conv1`; ESRGAN 2019 and BSRGAN `RRDB_trunk.0.RDB1.conv1`; oldest
/// `model.1.sub.0.RDB1.conv1.0`; KAIR's as the oldest, but `conv5` without `.0`.)
StateDict rrdbnet_keys(const StateDict& weights);

/// The configuration behind these keys (BasicSR's names); nothing if they are no RRDBNet's. The keys of one
/// nearest-neighbour step fit any factor: 2 is taken. The activation isn't told either: leaky ReLU is taken.
std::optional<RRDBNetConfig> detect_rrdbnet(const StateDict& weights);

}  // namespace sr
