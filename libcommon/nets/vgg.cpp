#include "nets/vgg.h"

#include <fmt/format.h>
#include <utility>
#include <vector>

#include "core/error.h"

namespace sr {
namespace {

struct Layer {
  std::string name;
  FeatureNet::Spec spec;
};

const char* name_of(VggDepth depth) { return depth == VggDepth::vgg16 ? "VGG-16" : "VGG-19"; }

FeatureNet::Spec pool_of(const VggOptions& options) {
  if (!options.pooling_stride) return FeatureNet::Nothing{};
  return FeatureNet::MaxPool{.kernel = 2, .stride = *options.pooling_stride};
}

std::vector<Layer> layers_of(VggDepth depth, const VggOptions& options) {
  constexpr std::array<int64_t, 5> widths = {1, 2, 4, 8, 8};
  const int late = depth == VggDepth::vgg16 ? 3 : 4;
  const std::array<int, 5> convolutions = {2, 2, late, late, late};
  std::vector<Layer> layers;
  int64_t in = 3;
  for (size_t stage = 0; stage < widths.size(); ++stage) {
    const int64_t out = options.width * widths[stage];
    for (int i = 0; i < convolutions[stage]; ++i) {
      const std::string place = fmt::format("{}_{}", stage + 1, i + 1);
      layers.push_back({"conv" + place, FeatureNet::Conv{in, out}});
      layers.push_back({"relu" + place, FeatureNet::ReLU{}});
      in = out;
    }
    layers.push_back({fmt::format("pool{}", stage + 1), pool_of(options)});
  }
  return layers;
}

}  // namespace

FeatureNet make_vgg(VggDepth depth, const VggOptions& options) {
  std::vector<FeatureNet::Spec> specs;
  for (const Layer& layer : layers_of(depth, options)) specs.push_back(layer.spec);
  if (options.layers) specs.resize(std::min(specs.size(), static_cast<size_t>(*options.layers)));
  return {name_of(depth), specs};
}

int vgg_layer(VggDepth depth, const std::string& name) {
  const std::vector<Layer> layers = layers_of(depth, {});
  for (size_t i = 0; i < layers.size(); ++i) {
    if (name == layers[i].name || name == std::to_string(i)) return static_cast<int>(i);
  }
  throw Error(fmt::format("{} has no layer {}", name_of(depth), name));
}

}  // namespace sr
