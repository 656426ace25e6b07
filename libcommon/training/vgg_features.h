#pragma once
// What a frozen VGG sees in images, for perceptual losses: differentiable with respect to the images.
// Source: BasicSR basicsr/archs/vgg_arch.py VGGFeatureExtractor (@8d56e3a), SeD utils/losses.py PerceptualVGG
// (@311195f).

#include <string>
#include <vector>

#include "nets/vgg.h"

namespace sr {

struct VggFeaturesConfig {
  VggDepth depth = VggDepth::vgg19;
  /// Names (BasicSR) or numbers (SeD), in any order; see `vgg_layer`. A convolution's features are those
  /// before its activation.
  std::vector<std::string> layers;
  bool input_norm = true;                     ///< by ImageNet's mean and deviation
  bool range_norm = false;                    ///< before that, from [-1,1] to [0,1]
  std::optional<int64_t> pooling_stride = 2;  ///< none: BasicSR's remove_pooling
};

class VggFeatures {
 public:
  /// From a torchvision checkpoint (vgg19-dcbb9e9d.pth, say), whose layers beyond the last asked for need not
  /// be there. Throws Error that lists what doesn't fit, or names a layer that VGG hasn't.
  VggFeatures(const VggFeaturesConfig& config, const StateDict& weights);

  /// Images [N,3,H,W] of any float type, in [0,1] (or see `range_norm`) -> the features of `layers`, in that
  /// order, in the type of the weights. Where no gradient is asked for, float32 on the CPU goes by Winograd's
  /// algorithm: values differ by some 1e-6 of their size from those with a gradient.
  std::vector<Tensor> operator()(const Tensor& images) const;

  void to(at::Device device);
  /// Weights and features in float32, bfloat16 or float16; normalisation stays float32.
  void set_precision(at::ScalarType type);

 private:
  VggFeaturesConfig config_;
  std::vector<int> numbers_;  ///< of `config_.layers`
  std::vector<int> taps_;     ///< the same, ascending, each once
  FeatureNet network_;
};

}  // namespace sr
