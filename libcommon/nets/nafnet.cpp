#include "nets/nafnet.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/keys.h"

namespace sr {
namespace {

constexpr double kNormEpsilon = 1e-6;

int64_t rounded_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

/// Normalises the channels of [N,C,H,W]; channels-last passes through without a copy.
Tensor normalised(const LayerNorm& norm, const Tensor& x) {
  return norm.forward(x.permute({0, 2, 3, 1})).permute({0, 3, 1, 2});
}

/// One half of the channels times the other.
Tensor gate(const Tensor& x) {
  const auto halves = x.chunk(2, 1);
  return halves[0] * halves[1];
}

/// Sums over all runs of `length` along `axis`; one axis after the other keeps the partial sums small, which
/// float32 likes better than the official sum over the whole image.
Tensor running_sums(const Tensor& x, int64_t axis, int64_t length) {
  const Tensor sums = x.cumsum(axis);
  const int64_t runs = x.size(axis) - length;
  const Tensor first = sums.narrow(axis, length - 1, 1);
  return at::cat({first, sums.narrow(axis, length, runs) - sums.narrow(axis, 0, runs)}, axis);
}

/// Window means without a border: [N,C,H-h+1,W-w+1].
Tensor window_means(const Tensor& x, int64_t height, int64_t width) {
  return running_sums(running_sums(x, 3, width), 2, height) / static_cast<double>(height * width);
}

/// The largest of 5, 4, 3, 2, 1 that divides `side`, but at most `limit`.
int64_t sampling_stride(int64_t side, int64_t limit) {
  int64_t stride = 5;
  while (side % stride != 0) --stride;
  return std::min(stride, limit);
}

/// The official `fast_imp`: window means of a sample, enlarged again. The sums are over all but the first row
/// and column of each window, as there.
Tensor sampled_window_means(const Tensor& x, const PoolWindow& window) {
  const int64_t down = sampling_stride(x.size(2), window.stride_limit[0]);
  const int64_t right = sampling_stride(x.size(3), window.stride_limit[1]);
  const Tensor sample = x.slice(2, 0, x.size(2), down).slice(3, 0, x.size(3), right);
  const int64_t height = std::min(sample.size(2) - 1, window.size[0] / down);
  const int64_t width = std::min(sample.size(3) - 1, window.size[1] / right);
  const Tensor inner = sample.narrow(2, 1, sample.size(2) - 1).narrow(3, 1, sample.size(3) - 1);
  const Tensor means = window_means(inner, height, width);
  return at::upsample_nearest2d(means, {means.size(2) * down, means.size(3) * right});
}

std::vector<std::shared_ptr<NAFBlock>> blocks_of(int64_t count, int64_t channels) {
  std::vector<std::shared_ptr<NAFBlock>> blocks;
  for (int64_t i = 0; i < count; ++i) blocks.push_back(std::make_shared<NAFBlock>(channels));
  return blocks;
}

}  // namespace

Tensor local_mean(const Tensor& input, const PoolWindow& window) {
  const Tensor x = input.to(at::promote_types(input.scalar_type(), at::kFloat));
  const int64_t height = x.size(2), width = x.size(3);
  if (window.size[0] >= height && window.size[1] >= width) return x.mean({2, 3}, true);
  const Tensor means =
      window.fast ? sampled_window_means(x, window)
                  : window_means(x, std::min(height, window.size[0]), std::min(width, window.size[1]));
  const int64_t rows = height - means.size(2), columns = width - means.size(3);
  return at::replication_pad2d(means, {columns / 2, (columns + 1) / 2, rows / 2, (rows + 1) / 2});
}

NAFBlock::NAFBlock(int64_t channels) {
  const int64_t wide = 2 * channels;
  const auto conv = [this](const char* name, int64_t in, int64_t out, const ConvOptions& options) {
    return register_module(name, std::make_shared<Conv2d>(in, out, options));
  };
  conv1 = conv("conv1", channels, wide, pointwise());
  conv2 = conv("conv2", wide, wide, {.groups = wide});
  conv3 = conv("conv3", channels, channels, pointwise());
  sca = std::make_shared<Conv2d>(channels, channels, pointwise());
  // Officially a Sequential of pooling and convolution: the key is `sca.1`.
  register_container(*this, "sca")->register_module("1", sca);
  conv4 = conv("conv4", channels, wide, pointwise());
  conv5 = conv("conv5", channels, channels, pointwise());
  norm1 = register_module("norm1", std::make_shared<LayerNorm>(channels, kNormEpsilon));
  norm2 = register_module("norm2", std::make_shared<LayerNorm>(channels, kNormEpsilon));
  beta = register_parameter("beta", torch::zeros({1, channels, 1, 1}));
  gamma = register_parameter("gamma", torch::zeros({1, channels, 1, 1}));
}

Tensor NAFBlock::forward(const Tensor& input, const std::optional<PoolWindow>& window) const {
  Tensor x = gate(conv2->forward(conv1->forward(normalised(*norm1, input))));
  const Tensor mean = window ? local_mean(x, *window) : x.mean({2, 3}, true);
  x = conv3->forward(x * sca->forward(mean));
  const Tensor y = input + x * beta;
  x = conv5->forward(gate(conv4->forward(normalised(*norm2, y))));
  return y + x * gamma;
}

NAFNet::NAFNet(const NAFNetConfig& config) : config_(config) {
  if (config.encoder_blocks.size() != config.decoder_blocks.size()) {
    throw Error(fmt::format("NAFNet needs as many decoder as encoder levels, not {} and {}",
                            config.decoder_blocks.size(), config.encoder_blocks.size()));
  }
  intro_ = register_module("intro", std::make_shared<Conv2d>(config.channels, config.width));
  ending_ = register_module("ending", std::make_shared<Conv2d>(config.width, config.channels));
  register_levels();
}

void NAFNet::register_levels() {
  const auto encoders = register_container(*this, "encoders"),
             decoders = register_container(*this, "decoders"), ups = register_container(*this, "ups"),
             downs = register_container(*this, "downs");
  for (int64_t level = 0; level < levels(); ++level) {
    const int64_t channels = config_.width << level;
    encoders_.push_back(blocks_of(config_.encoder_blocks[level], channels));
    register_list(*encoders, std::to_string(level), encoders_.back());
    const ConvOptions halving{.kernel = 2, .stride = 2, .padding = 0};
    downs_.push_back(downs->register_module(std::to_string(level),
                                            std::make_shared<Conv2d>(channels, 2 * channels, halving)));
  }
  middle_ = blocks_of(config_.middle_blocks, config_.width << levels());
  register_list(*this, "middle_blks", middle_);
  for (int64_t i = 0; i < levels(); ++i) {
    const int64_t channels = config_.width << (levels() - i - 1);
    ups_.push_back(std::make_shared<Conv2d>(2 * channels, 4 * channels, pointwise(/*bias=*/false)));
    register_list<Conv2d>(*ups, std::to_string(i), {ups_.back()});
    decoders_.push_back(blocks_of(config_.decoder_blocks[i], channels));
    register_list(*decoders, std::to_string(i), decoders_.back());
  }
}

std::optional<PoolWindow> NAFNet::window(int64_t level) const {
  if (!config_.local) return std::nullopt;
  PoolWindow window{.size = {}, .stride_limit = {}, .fast = config_.local->fast};
  for (size_t axis = 0; axis < 2; ++axis) {
    const int64_t train = config_.local->train_size[axis];
    const int64_t side =
        rounded_up(train, int64_t{1} << levels()) >> level;  // of a training image at this level
    window.size[axis] = side * (train * 3 / 2) / train;
    window.stride_limit[axis] = std::max<int64_t>(1, 5 * side / train);
  }
  return window;
}

Tensor NAFNet::run(const Blocks& blocks, Tensor x, int64_t level) const {
  const auto pool = window(level);
  for (const auto& block : blocks)
    x = Network::run([block, pool](const Tensor& in) { return block->forward(in, pool); }, x);
  return x;
}

Tensor NAFNet::features(const Tensor& padded) const {
  const auto type = padded.scalar_type();
  std::vector<Tensor> skips;
  Tensor x = intro_->forward(padded).to(type);
  for (int64_t level = 0; level < levels(); ++level) {
    x = run(encoders_[level], x, level);
    skips.push_back(x);
    x = downs_[level]->forward(x).to(type);
  }
  x = run(middle_, x, levels());
  for (int64_t i = 0; i < levels(); ++i) {
    x = skips.back() + at::pixel_shuffle(ups_[i]->forward(x), 2);
    skips.pop_back();
    x = run(decoders_[i], x, levels() - i - 1);
  }
  return x;
}

Tensor NAFNet::forward(const Tensor& input) {
  const int64_t height = input.size(2), width = input.size(3), multiple = int64_t{1} << levels();
  const int64_t below = rounded_up(height, multiple) - height, right = rounded_up(width, multiple) - width;
  const Tensor padded = below + right > 0 ? at::constant_pad_nd(input, {0, right, 0, below}) : input;
  const Tensor output = padded + ending_->forward(features(padded));
  return output.narrow(2, 0, height).narrow(3, 0, width);
}

NetworkShape NAFNet::shape() const {
  // The local form's windows do bound what a pixel sees, but 1.5 training sizes a block add up to thousands.
  return {.family = "NAFNet",
          .in_channels = static_cast<int>(config_.channels),
          .out_channels = static_cast<int>(config_.channels),
          .scale = 1,
          .multiple = 1,
          .alignment = 1 << levels(),
          .receptive_radius = std::nullopt,
          .convolutional = false,
          .activations = 12.0 * static_cast<double>(config_.width)};
}

std::optional<NAFNetConfig> detect_nafnet(const StateDict& weights) {
  if (!keys::has(weights, "intro.weight") || !keys::has(weights, "ending.weight") ||
      !keys::has_prefix(weights, "middle_blks.")) {
    return std::nullopt;
  }
  NAFNetConfig config;
  config.width = keys::extent(weights, "intro.weight", 0);
  config.channels = keys::extent(weights, "intro.weight", 1);
  config.middle_blocks = keys::count(weights, "middle_blks.");
  const int64_t levels = keys::count(weights, "downs.");
  for (int64_t level = 0; level < levels; ++level) {
    config.encoder_blocks.push_back(keys::count(weights, fmt::format("encoders.{}.", level)));
    config.decoder_blocks.push_back(keys::count(weights, fmt::format("decoders.{}.", level)));
  }
  config.local.emplace();
  return config;
}

}  // namespace sr
