#include "nets/semantics.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "nets/clip.h"
#include "nets/feature_net.h"
#include "nets/fill_module.h"
#include "nets/keys.h"

namespace sr {
namespace {

constexpr int kLayers = 4;

std::string layer_prefix(int layer) { return fmt::format("layer{}.", layer); }

/// Blocks of each layer, up to the first that isn't there.
std::vector<int64_t> resnet_depths(const StateDict& weights) {
  std::vector<int64_t> depths;
  for (int layer = 1; layer <= kLayers && keys::has_prefix(weights, layer_prefix(layer)); ++layer)
    depths.push_back(keys::count(weights, layer_prefix(layer)));
  return depths;
}

/// Of layers up to the level; weights zero.
std::shared_ptr<SemanticExtractor> empty_semantics(const StateDict& used) {
  const int64_t width = keys::extent(used, "layer1.0.conv1.weight", 0);
  const auto depths = resnet_depths(used);
  const int level = static_cast<int>(depths.size());
  const bool clip = keys::has(used, "conv3.weight");  // its stem has three convolutions
  if (!clip) return std::make_shared<ResNetSemantics>(std::make_shared<ResNet>(depths, width), level, width);
  const ClipResNetConfig config{.layers = depths, .width = width, .output_dim = 0};
  return std::make_shared<ClipSemantics>(std::make_shared<ModifiedResNet>(config), level);
}

void adopt_children(torch::nn::Module& parent, const torch::nn::Module& of) {
  for (const auto& child : of.named_children()) parent.register_module(child.key(), child.value());
}

}  // namespace

SemanticExtractor::SemanticExtractor(int level) : level_(level) {
  if (level < 1 || level > kLayers)
    throw Error(fmt::format("semantics come from level 1, 2, 3 or 4 of a network, not {}", level));
}

void SemanticExtractor::check(const Tensor& images) const {
  const bool fits =
      images.dim() == 4 && images.size(1) == 3 && images.size(2) >= stride() && images.size(3) >= stride();
  if (fits) return;
  throw Error(fmt::format("semantics are of images [N,3,H,W] of {0}x{0} at least, not [{1}]", stride(),
                          fmt::join(images.sizes(), ",")));
}

ClipSemantics::ClipSemantics(std::shared_ptr<ModifiedResNet> tower, int level)
    : SemanticExtractor(level), tower_(std::move(tower)) {
  adopt_children(*this, *tower_);
}

int64_t ClipSemantics::channels() const {
  return tower_->config().channels(static_cast<size_t>(level() - 1));
}

Tensor ClipSemantics::forward(const Tensor& images) const {
  check(images);
  return tower_->features(normalised(images, kClipNormalisation), static_cast<size_t>(level())).back();
}

ResNetSemantics::ResNetSemantics(std::shared_ptr<ResNet> network, int level, int64_t width)
    : SemanticExtractor(level), network_(std::move(network)), width_(width) {
  adopt_children(*this, *network_);
}

int64_t ResNetSemantics::channels() const { return 2 * width_ << level(); }

Tensor ResNetSemantics::forward(const Tensor& images) const {
  check(images);
  return network_->features(normalised(images, kImagenetNormalisation), static_cast<size_t>(level())).back();
}

std::shared_ptr<SemanticExtractor> make_semantics(const SemanticsConfig& config,
                                                  const StateDict& checkpoint) {
  if (config.source == SemanticsConfig::Source::clip) {
    const auto clip = make_clip(checkpoint);
    auto tower = std::dynamic_pointer_cast<ModifiedResNet>(clip->visual);
    if (!tower) throw Error("semantics come from CLIP's RN50, and these weights are a vision transformer's");
    return std::make_shared<ClipSemantics>(std::move(tower), config.level);
  }
  const auto width = keys::extent(checkpoint, "conv1.weight", 0);
  auto network = std::make_shared<ResNet>(resnet_depths(checkpoint), width);
  fill_module(*network, checkpoint, spare_in_resnet);
  auto semantics = std::make_shared<ResNetSemantics>(std::move(network), config.level, width);
  semantics->eval();
  return semantics;
}

StateDict used_tensors(const SemanticExtractor& semantics) {
  StateDict used = tensors_of(semantics);
  const auto drop = [&](const std::string& prefix) {
    std::erase_if(used, [&](const auto& entry) { return entry.first.starts_with(prefix); });
  };
  drop("attnpool.");
  for (int layer = semantics.level() + 1; layer <= kLayers; ++layer) drop(layer_prefix(layer));
  return used;
}

std::shared_ptr<SemanticExtractor> make_semantics(const StateDict& used) {
  auto semantics = empty_semantics(used);
  fill_module(*semantics, used);
  return semantics;
}

}  // namespace sr
