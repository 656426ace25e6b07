#include <array>
#include <utility>

#include "infer/fused_families.h"
#include "infer/fused_graph.h"

namespace sr::fused {
namespace {

/// Convolutions swept together: the rows and weights of so many fit into a core's own cache.
constexpr int kConvsPerGroup = 4;
constexpr double kLeakySlope = 0.1;

Tensor slope(const SRVGGActivation& activation) {
  switch (activation.kind) {
    case SRVGGConfig::Activation::prelu: return activation.weight;
    case SRVGGConfig::Activation::relu: return at::zeros({1});
    case SRVGGConfig::Activation::leaky_relu: break;
  }
  return at::full({1}, kLeakySlope);
}

class Builder {
 public:
  explicit Builder(const SRVGGNetCompact& network)
      : network_(network), config_(network.config()), graph_(std::make_unique<Graph>(frame())) {
    const int planes = planes_for(config_.features, amx::kInputChannels);
    for (Slice& window : windows_) window = graph_->add_window(planes);
    for (Slice& image : images_) image = graph_->add_image(planes);
  }

  std::unique_ptr<FusedNetwork> build() {
    const int channels = static_cast<int>(config_.in_channels);
    Slice features = graph_->add_window(planes_for(channels, amx::kInputChannels));
    steps_.push_back(std::make_unique<Load>(channels, 1, features));
    for (std::size_t i = 0; i < network_.activations.size(); ++i) features = add_conv(i, features);
    add_last(features);
    return std::move(graph_);
  }

 private:
  Frame frame() const {
    return {static_cast<int>(config_.in_channels), static_cast<int>(config_.out_channels), 1,
            static_cast<int>(config_.scale)};
  }

  Slice add_conv(std::size_t i, const Slice& input) {
    const Conv2d& conv = *network_.convs[i];
    const std::size_t place = i % kConvsPerGroup;
    const bool ends_group = place == windows_.size();
    const Slice output = ends_group ? images_[i / kConvsPerGroup % 2] : windows_[place];
    const Weights weights{conv.weight, conv.bias, slope(*network_.activations[i]), {conv.weight.size(1)}};
    steps_.push_back(
        std::make_unique<Conv>(ConvSpec{.kernels = {pack(weights)}, .inputs = {input}, .bf16 = output}));
    if (ends_group) graph_->add_group(std::exchange(steps_, {}));
    return output;
  }

  void add_last(const Slice& input) {
    const Conv2d& conv = *network_.convs.back();
    const Slice sums = graph_->add_window(planes_for(conv.weight.size(0), amx::kOutputChannels));
    const Weights weights{conv.weight, conv.bias, at::ones({1}), {conv.weight.size(1)}};
    steps_.push_back(
        std::make_unique<Conv>(ConvSpec{.kernels = {pack(weights)}, .inputs = {input}, .fp32 = sums}));
    steps_.push_back(std::make_unique<Store>(sums, config_.out_channels, config_.scale, true));
    graph_->add_group(std::move(steps_));
  }

  const SRVGGNetCompact& network_;
  const SRVGGConfig& config_;
  std::unique_ptr<Graph> graph_;
  std::array<Slice, kConvsPerGroup - 1> windows_;  // every group uses the same: they are in the cache
  std::array<Slice, 2> images_;                    // a group reads one and writes the other
  Graph::Steps steps_;
};

}  // namespace

std::unique_ptr<FusedNetwork> build(const SRVGGNetCompact& network) {
  return network.config().scale <= kLargestShuffle ? Builder(network).build() : nullptr;
}

}  // namespace sr::fused
