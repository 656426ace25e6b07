#include <algorithm>
#include <array>

#include "infer/fused_families.h"
#include "infer/fused_graph.h"

namespace sr::fused {
namespace {

constexpr double kLeakySlope = 0.2;
constexpr float kResidualScale = 0.2f;
constexpr int kDenseConvs = 5;
/// Rows that the enlarging end is given at a time: each becomes 16 times as much.
constexpr int kUpsamplingAdvance = 2;

/// Features in both forms: bf16 for convolutions to read, fp32 for sums.
struct Features {
  Slice bf16, fp32;
};

class Builder {
 public:
  explicit Builder(const RRDBNet& network)
      : network_(network), config_(network.config()), graph_(std::make_unique<Graph>(frame())) {
    for (Slice& image : trunk_) image = add_trunk_bf16();
    growth_ = graph_->add_window(growth_planes() * (kDenseConvs - 1));
  }

  std::unique_ptr<FusedNetwork> build() {
    const Features first{add_trunk_bf16(), add_trunk_fp32()};
    add_first(first);
    add_enlargement(first, add_body(first));
    return std::move(graph_);
  }

 private:
  Frame frame() const {
    return {int(config_.in_channels), int(config_.out_channels), int(config_.unshuffle),
            int(config_.scale())};
  }
  int planes() const { return planes_for(config_.features, amx::kInputChannels); }
  int fp32_planes() const { return planes_for(config_.features, amx::kOutputChannels); }
  int growth_planes() const { return planes_for(config_.growth, amx::kInputChannels); }
  Slice add_trunk_bf16() { return graph_->add_image(planes()); }
  Slice add_trunk_fp32() { return graph_->add_image(fp32_planes()); }

  Tensor activation() const {
    return at::full({1}, config_.activation == RRDBNetConfig::Activation::relu ? 0.0 : kLeakySlope);
  }
  Weights weights(const Conv2d& conv, const Tensor& slope) const {
    return {conv.weight, conv.bias, slope, {conv.weight.size(1)}};
  }
  static std::unique_ptr<Step> step(ConvSpec spec) { return std::make_unique<Conv>(std::move(spec)); }

  void add_first(const Features& output) {
    const int channels = static_cast<int>(network_.conv_first->weight.size(1));
    const Slice input = graph_->add_window(planes_for(channels, amx::kInputChannels));
    Graph::Steps steps;
    steps.push_back(std::make_unique<Load>(int(config_.in_channels), int(config_.unshuffle), input));
    steps.push_back(step({.kernels = {pack(weights(*network_.conv_first, at::ones({1})))},
                          .inputs = {input},
                          .bf16 = output.bf16,
                          .fp32 = output.fp32}));
    graph_->add_group(std::move(steps));
  }

  /// All blocks; answers the bf16 features that come out. The first residual stays whole for the sum at the
  /// end.
  Slice add_body(const Features& first) {
    const Slice inside = add_trunk_fp32(), around = add_trunk_fp32();
    Features x = first;
    for (const auto& block : network_.body) {
      const Slice outer = x.fp32;
      x = add_dense_block(*block->rdb1, x, inside, {});
      x = add_dense_block(*block->rdb2, x, inside, {});
      x = add_dense_block(*block->rdb3, x, around, outer);
    }
    return x.bf16;
  }

  /// `outer`: the residual of the three blocks around, added after the last of them.
  Features add_dense_block(const ResidualDenseBlock& block, const Features& x, const Slice& fp32,
                           const Slice& outer) {
    const std::array convs{block.conv1, block.conv2, block.conv3, block.conv4, block.conv5};
    std::vector<Slice> inputs{x.bf16};
    Graph::Steps steps;
    for (int i = 0; i < kDenseConvs - 1; ++i) {
      const Slice grown{growth_.buffer, i * growth_planes(), growth_planes()};
      steps.push_back(
          step({.kernels = {pack(dense_weights(*convs[i], activation()))}, .inputs = inputs, .bf16 = grown}));
      inputs.push_back(grown);
    }
    const Features output{next_trunk(), fp32};
    steps.push_back(step({.kernels = {pack(dense_weights(*block.conv5, at::ones({1})))},
                          .inputs = inputs,
                          .bf16 = output.bf16,
                          .fp32 = output.fp32,
                          .scale = kResidualScale,
                          .residual = x.fp32,
                          .outer_scale = kResidualScale,
                          .outer_residual = outer}));
    graph_->add_group(std::move(steps));
    return output;
  }

  Weights dense_weights(const Conv2d& conv, const Tensor& slope) const {
    Weights result = weights(conv, slope);
    result.input_groups = {config_.features};
    for (int64_t at = config_.features; at < conv.weight.size(1); at += config_.growth)
      result.input_groups.push_back(config_.growth);
    return result;
  }

  /// A block can't write where its neighbours still read: features alternate between two images.
  Slice next_trunk() { return trunk_[turn_++ % 2]; }

  void add_enlargement(const Features& first, const Slice& body) {
    Graph::Steps steps;
    Slice x = graph_->add_window(planes());
    steps.push_back(step({.kernels = {pack(weights(*network_.conv_body, at::ones({1})))},
                          .inputs = {body},
                          .bf16 = x,
                          .residual = first.fp32}));
    int multiple = 1;
    for (std::size_t i = 0; i < network_.conv_up.size(); ++i) {
      const int factor = static_cast<int>(config_.enlargements[i]);
      const Slice larger = graph_->add_window(planes(), multiple *= factor);
      steps.push_back(step({.kernels = enlarging(weights(*network_.conv_up[i], activation()), factor),
                            .upscaling = factor,
                            .inputs = {x},
                            .bf16 = larger}));
      x = larger;
    }
    add_last(std::move(steps), x, multiple);
  }

  std::vector<PackedKernel> enlarging(const Weights& weights, int factor) const {
    const bool shuffled = config_.upsampling == RRDBNetConfig::Upsampling::pixel_shuffle;
    return shuffled ? pack_shuffled(weights, factor) : pack_upsampled(weights);
  }

  void add_last(Graph::Steps steps, const Slice& input, int multiple) {
    const Slice fine = graph_->add_window(planes(), multiple);
    const Slice image = graph_->add_window(planes_for(config_.out_channels, amx::kOutputChannels), multiple);
    steps.push_back(
        step({.kernels = {pack(weights(*network_.conv_hr, activation()))}, .inputs = {input}, .bf16 = fine}));
    steps.push_back(step(
        {.kernels = {pack(weights(*network_.conv_last, at::ones({1})))}, .inputs = {fine}, .fp32 = image}));
    steps.push_back(std::make_unique<Store>(image, int(config_.out_channels), 1, false));
    graph_->add_group(std::move(steps), 1, kUpsamplingAdvance);
  }

  const RRDBNet& network_;
  const RRDBNetConfig& config_;
  std::unique_ptr<Graph> graph_;
  std::array<Slice, 2> trunk_;
  int turn_ = 0;
  Slice growth_;
};

bool has_fused_form(const RRDBNetConfig& config) {
  using Upsampling = RRDBNetConfig::Upsampling;
  const auto twofold = [](int64_t factor) { return factor == 2; };
  return config.upsampling == Upsampling::pixel_shuffle ||
         (config.upsampling == Upsampling::nearest &&
          std::all_of(config.enlargements.begin(), config.enlargements.end(), twofold));
}

}  // namespace

std::unique_ptr<FusedNetwork> build(const RRDBNet& network) {
  return has_fused_form(network.config()) ? Builder(network).build() : nullptr;
}

}  // namespace sr::fused
