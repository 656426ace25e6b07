#pragma once
// The convolutional part (`features`) of torchvision's classifiers, whose layers perceptual measures and
// losses read. Layers have torchvision's numbers, parameters its names: `features.N.weight`.
//
// `prepare` makes inference on the CPU faster: layers that suit then go by Winograd's algorithm, with ReLU in
// the same pass, wherever no gradient is asked for. Everything works without it, on any device and type.

#include <array>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "nets/layers.h"
#include "nets/winograd.h"
#include "weights/state_dict.h"

namespace sr {

/// A convolution, and the ReLU after it where nobody wants to see what is before.
struct FeatureConv {
  std::shared_ptr<Conv2d> layer;
  std::shared_ptr<const WinogradConv> fast;  ///< null: not prepared, or not for such a layer

  Tensor forward(const Tensor& input, bool relu) const;
  void prepare();
};

/// SqueezeNet's pair of layers: 1x1 to few channels, then 1x1 and 3x3 side by side; ReLU after each.
class Fire : public torch::nn::Module {
 public:
  Fire(int64_t in, int64_t squeezed, int64_t expanded);
  Tensor forward(const Tensor& input) const;
  void prepare();

 private:
  FeatureConv squeeze_, expand1x1_, expand3x3_;
};

class FeatureNet : public torch::nn::Module {
 public:
  struct ReLU {};
  struct MaxPool {
    int64_t kernel = 2, stride = 2;
    bool ceil = false;  ///< windows may begin inside and end outside
  };
  struct Nothing {};  ///< a layer left out that keeps its number
  struct Conv {
    int64_t in, out;
    ConvOptions options = {};
  };
  struct FireSpec {
    int64_t in, squeezed, expanded;
  };
  using Spec = std::variant<Conv, ReLU, MaxPool, FireSpec, Nothing>;

  /// `name`: as it is told to users. Weights are zero until they are loaded.
  FeatureNet(std::string name, const std::vector<Spec>& layers);

  int layers() const { return static_cast<int>(layers_.size()); }
  /// Fills the layers from a torchvision checkpoint and prepares. Layers beyond the last and the classifier
  /// are passed over. Throws Error that lists missing and misshapen keys.
  void load(const StateDict& weights);
  using torch::nn::Module::load;  // an archive's; not hidden
  void prepare();

  /// Runs layers [begin, end) on the output of layer begin - 1 (the image, [N,3,H,W] normalised, where that
  /// is -1), which stays as it is.
  Tensor run(const Tensor& input, int begin, int end) const;
  /// The outputs of the layers `taps`, which ascend.
  std::vector<Tensor> features(const Tensor& images, const std::vector<int>& taps) const;

 private:
  using Layer = std::variant<FeatureConv, ReLU, MaxPool, std::shared_ptr<Fire>, Nothing>;

  std::vector<Layer> layers_;
};

/// What is taken from the channels of an RGB image before the first layer, and by what they are divided then.
struct Normalisation {
  std::array<float, 3> mean, deviation;
};
/// What torchvision's networks were trained with.
inline constexpr Normalisation kImagenetNormalisation{{0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}};
/// What CLIP was trained with.
inline constexpr Normalisation kClipNormalisation{{0.48145466F, 0.4578275F, 0.40821073F},
                                                  {0.26862954F, 0.26130258F, 0.27577711F}};

/// Images [N,3,H,W], normalised; channels-last where `on_fast_path`.
Tensor normalised(const Tensor& images, const Normalisation& by);

/// Whether CPU loops for float32 may take the place of tensor operations: nothing else could see a gradient.
bool on_fast_path(const Tensor& input);

/// As at::max_pool2d without padding; channels-last answers channels-last, in one pass of our own where
/// `on_fast_path`.
Tensor max_pool(const Tensor& input, const FeatureNet::MaxPool& window);

}  // namespace sr
