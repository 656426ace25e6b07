#include "training/vgg_features.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/keys.h"

namespace sr {
namespace {

std::vector<int> numbers_of(const VggFeaturesConfig& config) {
  std::vector<int> numbers;
  for (const std::string& name : config.layers) {
    if (!config.pooling_stride && name.starts_with("pool"))
      throw Error(fmt::format("a VGG without pooling has no layer {}", name));
    numbers.push_back(vgg_layer(config.depth, name));
  }
  if (numbers.empty()) throw Error("a perceptual loss needs a layer of VGG");
  return numbers;
}

std::vector<int> ascending(std::vector<int> numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

FeatureNet loaded(const VggFeaturesConfig& config, int layers, const StateDict& weights) {
  FeatureNet network = make_vgg(config.depth, {.width = keys::extent(weights, "features.0.weight", 0),
                                               .pooling_stride = config.pooling_stride,
                                               .layers = layers});
  network.load(weights);
  return network;
}

}  // namespace

VggFeatures::VggFeatures(const VggFeaturesConfig& config, const StateDict& weights)
    : config_(config),
      numbers_(numbers_of(config)),
      taps_(ascending(numbers_)),
      network_(loaded(config, taps_.back() + 1, weights)) {}

std::vector<Tensor> VggFeatures::operator()(const Tensor& images) const {
  Tensor x = images.to(at::kFloat);
  if (config_.range_norm) x = (x + 1) / 2;
  if (config_.input_norm) x = normalised(x, kImagenetNormalisation);
  const std::vector<Tensor> found = network_.features(x, taps_);
  std::vector<Tensor> features;
  for (const int number : numbers_) {
    const auto tap = std::lower_bound(taps_.begin(), taps_.end(), number) - taps_.begin();
    features.push_back(found.at(static_cast<size_t>(tap)));
  }
  return features;
}

void VggFeatures::to(at::Device device) {
  network_.to(device);
  network_.prepare();
}

void VggFeatures::set_precision(at::ScalarType type) {
  for (const auto& module : network_.modules(/*include_self=*/false)) {
    if (const auto layer = std::dynamic_pointer_cast<WeightLayer>(module)) layer->set_precision(type);
  }
  network_.prepare();  // what was prepared from the old weights would still answer
}

}  // namespace sr
