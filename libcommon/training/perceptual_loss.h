#pragma once
// Differences of VGG's features, and of their correlations (style). Papers: Johnson et al., "Perceptual
// Losses for Real-Time Style Transfer and Super-Resolution", ECCV 2016; ESRGAN (features before activation).
// Source: BasicSR basicsr/losses/basic_loss.py PerceptualLoss (@8d56e3a), SeD utils/losses.py PerceptualLoss
// (@311195f).

#include <string>
#include <utility>
#include <vector>

#include "training/vgg_features.h"

namespace sr {

struct PerceptualLossConfig {
  enum class Criterion {
    l1,
    l2,   ///< mean of squares; SeD calls it mse
    fro,  ///< the Frobenius norm of the difference, no mean
  };

  VggFeaturesConfig vgg;
  std::vector<double> layer_weights;  ///< one for each of `vgg.layers`
  double weight = 1;                  ///< of the features; 0 leaves them out
  double style_weight = 0;            ///< of the Gram matrices; 0 leaves them out
  Criterion criterion = Criterion::l1;

  /// BasicSR's and Real-ESRGAN's usual five layers, before activation, by 0.1, 0.1, 1, 1, 1.
  static PerceptualLossConfig esrgan();
  /// SeD's: layers 2, 7, 16, 25, 34 (the same five) by the same weights, all of it by `weight`.
  static PerceptualLossConfig sed();
};

class PerceptualLoss {
 public:
  struct Terms {
    Tensor features, style;  ///< numbers; undefined where left out
    /// Of what is there.
    Tensor sum() const;
  };

  /// Throws Error where weights and layers differ in number, or the checkpoint doesn't fit.
  PerceptualLoss(const PerceptualLossConfig& config, const StateDict& vgg_weights);

  /// Images [N,3,H,W] of any float type; float32 numbers. No gradient reaches `target`.
  Terms operator()(const Tensor& prediction, const Tensor& target) const;

  void to(at::Device device) { vgg_.to(device); }
  /// Of the network; differences are reckoned in float32 whatever it is.
  void set_precision(at::ScalarType type) { vgg_.set_precision(type); }

 private:
  PerceptualLossConfig config_;
  VggFeatures vgg_;
};

/// Correlations of the channels of features [N,C,H,W], float32 [N,C,C], over C H W.
Tensor gram_matrix(const Tensor& features);

}  // namespace sr
