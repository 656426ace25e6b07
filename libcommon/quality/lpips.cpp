#include "quality/lpips.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "core/simd.h"
#include "nets/alexnet.h"
#include "nets/feature_maps.h"
#include "nets/fill_module.h"
#include "nets/squeezenet.h"
#include "nets/vgg.h"
#include "quality/image_check.h"

namespace sr {
namespace {

/// What differs from network to network.
struct Backbone {
  const char* name;
  FeatureNet (*make)();
  std::vector<int> taps;          ///< layers that are compared
  std::vector<int64_t> channels;  ///< of each
  int64_t smallest_side;          ///< of an image: with less, a pool's output is empty
};

const Backbone& backbone_of(LpipsNet net) {
  static const Backbone alex{"AlexNet", alexnet, {1, 4, 7, 9, 11}, {64, 192, 384, 256, 256}, 31};
  static const Backbone vgg{
      "VGG-16", vgg16, {kVgg16Stages.begin(), kVgg16Stages.end()}, {64, 128, 256, 512, 512}, 16};
  static const Backbone squeeze{
      "SqueezeNet 1.1", squeezenet, {1, 4, 7, 9, 10, 11, 12}, {64, 128, 256, 384, 384, 512, 512}, 17};
  switch (net) {
    case LpipsNet::alex: return alex;
    case LpipsNet::vgg: return vgg;
    case LpipsNet::squeeze: return squeeze;
  }
  throw Error("LPIPS has no such network");
}

/// From [0,1] to [-1,1], and nothing else.
constexpr Normalisation kCentred{{0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F}};

const Normalisation& normalisation_of(LpipsVersion version) {
  return version == LpipsVersion::v0_0 ? kCentred : kImagenetNormalisation;
}

FeatureNet loaded(const Backbone& backbone, const StateDict& weights) {
  FeatureNet network = backbone.make();
  network.load(weights);
  return network;
}

/// The official keys are those of 1x1 convolutions after a dropout: `linN.model.1.weight`.
std::vector<Tensor> linear_weights(const Backbone& backbone, const StateDict& weights) {
  torch::nn::Module module(fmt::format("LPIPS's linear layers for {}", backbone.name));
  std::vector<std::shared_ptr<Conv2d>> convs;
  for (size_t i = 0; i < backbone.channels.size(); ++i) {
    const auto layer = std::make_shared<torch::nn::Module>(), model = std::make_shared<torch::nn::Module>();
    module.register_module(fmt::format("lin{}", i), layer);
    layer->register_module("model", model);
    convs.push_back(
        model->register_module("1", std::make_shared<Conv2d>(backbone.channels[i], 1, pointwise(false))));
  }
  fill_module(module, weights);
  std::vector<Tensor> flat;
  for (const auto& conv : convs) flat.push_back(conv->weight.flatten().contiguous());
  return flat;
}

void check_size(const Backbone& backbone, const Tensor& image) {
  if (std::min(image.size(2), image.size(3)) >= backbone.smallest_side) return;
  throw Error(fmt::format("LPIPS by {} needs images of {} pixels a side or more, not {}x{}", backbone.name,
                          backbone.smallest_side, image.size(3), image.size(2)));
}

/// Sums are kept in as many parts for every processor, so that all give the same.
constexpr int kLanes = 16;
using Lanes [[gnu::vector_size(kLanes * sizeof(float))]] = float;
using LanesInMemory
    [[gnu::vector_size(kLanes * sizeof(float)), gnu::aligned(alignof(float)), gnu::may_alias]] = float;

[[gnu::always_inline]] inline void load(Lanes& lanes, const float* from) {
  lanes = *reinterpret_cast<const LanesInMemory*>(from);
}

[[gnu::always_inline]] inline float sum(const Lanes& lanes) {
  float parts[kLanes];
  *reinterpret_cast<LanesInMemory*>(parts) = lanes;
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) parts[i] += parts[i + width];
  }
  return parts[0];
}

/// 1 / |features|; epsilon outside the root, as the official code has it.
[[gnu::always_inline]] inline float over_length(float squares) { return 1 / (std::sqrt(squares) + 1e-10F); }

/// The distance of two images at `pixels` positions in a row. Features are read twice, the second time from
/// the nearest cache.
SR_VECTORISED void compare_pixels(const float* a, const float* b, const float* weight, std::int64_t channels,
                                  std::int64_t pixels, float* distances) {
  for (std::int64_t i = 0; i < pixels; ++i, a += channels, b += channels) {
    Lanes x, y, w, squares_a{}, squares_b{}, total{};
    for (std::int64_t c = 0; c < channels; c += kLanes) {
      load(x, a + c);
      load(y, b + c);
      squares_a += x * x;
      squares_b += y * y;
    }
    const float factor_a = over_length(sum(squares_a)), factor_b = over_length(sum(squares_b));
    for (std::int64_t c = 0; c < channels; c += kLanes) {
      load(x, a + c);
      load(y, b + c);
      load(w, weight + c);
      const Lanes difference = x * factor_a - y * factor_b;
      total += w * (difference * difference);
    }
    distances[i] = sum(total);
  }
}

/// `features`: of both images, [2,C,h,w]; gives [h,w].
Tensor compare(const Tensor& features, const Tensor& weight) {
  const Tensor pixels = channels_last(features);
  const std::int64_t channels = pixels.size(1), count = pixels.size(2) * pixels.size(3);
  TORCH_CHECK(channels % kLanes == 0, "channels in multiples of 16");
  Tensor distances = at::empty({pixels.size(2), pixels.size(3)});
  const float* const a = pixels.data_ptr<float>();
  const float* const b = a + count * channels;
  float* const out = distances.data_ptr<float>();
  at::parallel_for(0, count, 256, [&](std::int64_t begin, std::int64_t end) {
    compare_pixels(a + begin * channels, b + begin * channels, weight.data_ptr<float>(), channels,
                   end - begin, out + begin);
  });
  return distances;
}

}  // namespace

Lpips::Lpips(LpipsNet net, LpipsVersion version, const StateDict& backbone, const StateDict& linear)
    : net_(net),
      version_(version),
      weights_(linear_weights(backbone_of(net), linear)),
      network_(loaded(backbone_of(net), backbone)) {}

std::vector<Tensor> Lpips::distances(const Tensor& image, const Tensor& reference) const {
  check_pair(image, reference, "LPIPS");
  const Backbone& backbone = backbone_of(net_);
  check_size(backbone, image);
  const at::NoGradGuard no_grad;
  Tensor x = normalised(at::cat({image, reference}), normalisation_of(version_));
  std::vector<Tensor> found;
  int done = 0;
  for (size_t i = 0; i < backbone.taps.size(); ++i) {
    const int end = backbone.taps[i] + 1;
    x = network_.run(x, done, end);
    found.push_back(compare(x, weights_[i]));
    done = end;
  }
  return found;
}

std::vector<double> Lpips::layers(const Tensor& image, const Tensor& reference) const {
  std::vector<double> means;
  for (const Tensor& map : distances(image, reference)) means.push_back(map.mean(at::kDouble).item<double>());
  return means;
}

double Lpips::operator()(const Tensor& image, const Tensor& reference) const {
  double total = 0;
  for (const double layer : layers(image, reference)) total += layer;
  return total;
}

Tensor Lpips::spatial(const Tensor& image, const Tensor& reference) const {
  const std::vector<Tensor> maps = distances(image, reference);
  Tensor total = at::zeros({image.size(2), image.size(3)});
  for (const Tensor& map : maps) {
    const Tensor enlarged =
        at::upsample_bilinear2d(map.view({1, 1, map.size(0), map.size(1)}), total.sizes(), false);
    total.add_(enlarged.view(total.sizes()));
  }
  return total;
}

std::vector<Tensor> Lpips::features(const Tensor& images) const {
  return network_.features(normalised(images, normalisation_of(version_)), backbone_of(net_).taps);
}

std::string Lpips::describe() const {
  const bool scaled = version_ == LpipsVersion::v0_1;
  return fmt::format(
      "LPIPS {} by {} (richzhang/PerceptualSimilarity): RGB, {}; no resizing, no cropping; {} "
      "layers, linear weights, spatial mean",
      scaled ? "0.1" : "0.0", backbone_of(net_).name, scaled ? "ImageNet mean and deviation" : "in [-1,1]",
      weights_.size());
}

}  // namespace sr
