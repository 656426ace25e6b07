#include "nets/vgg.h"

#include <utility>

namespace sr {
namespace {

/// `depths`: convolutions a stage.
FeatureNet vgg(std::string name, const std::array<int, 5>& depths) {
  constexpr std::array<int64_t, 5> channels = {64, 128, 256, 512, 512};
  std::vector<FeatureNet::Spec> layers;
  int64_t in = 3;
  for (size_t stage = 0; stage < depths.size(); ++stage) {
    for (int i = 0; i < depths[stage]; ++i) {
      layers.emplace_back(FeatureNet::Conv{in, channels[stage]});
      layers.emplace_back(FeatureNet::ReLU{});
      in = channels[stage];
    }
    layers.emplace_back(FeatureNet::MaxPool{});
  }
  return {std::move(name), layers};
}

}  // namespace

FeatureNet vgg16() { return vgg("VGG-16", {2, 2, 3, 3, 3}); }
FeatureNet vgg19() { return vgg("VGG-19", {2, 2, 4, 4, 4}); }

}  // namespace sr
