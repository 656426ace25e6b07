#include "nets/nlayer_disc.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/draw.h"
#include "nets/layers.h"

namespace sr {
namespace {

constexpr double kDeviation = 0.02;

/// Channels of the convolution that comes n-th: the width, doubled three times at most.
int64_t channels(int64_t width, int64_t n) { return width << std::min<int64_t>(n, 3); }

}  // namespace

NLayerDiscriminator::NLayerDiscriminator(const DiscriminatorConfig& config) : Discriminator(config) {
  if (config.layers < 1) throw Error("a PatchGAN has one layer at least");
  auto model = register_container(*this, "model");
  int number = 0;
  const auto add = [&](int64_t in, int64_t out, int64_t stride, bool normalised) {
    Stage stage;
    const ConvOptions options{.kernel = 4, .stride = stride, .padding = 1, .bias = !normalised};
    stage.conv = model->register_module(std::to_string(number++), std::make_shared<Conv2d>(in, out, options));
    if (normalised)
      stage.norm = model->register_module(std::to_string(number++), std::make_shared<BatchNorm>(out));
    ++number;  // the activation
    stages_.push_back(stage);
  };
  const int64_t width = config.width, layers = config.layers;
  add(config.in_channels, width, 2, false);
  for (int64_t n = 1; n <= layers; ++n)
    add(channels(width, n - 1), channels(width, n), n < layers ? 2 : 1, true);
  add(channels(width, layers), 1, 1, false);
}

int64_t NLayerDiscriminator::feature_channels() const { return channels(config().width, config().layers); }

Tensor NLayerDiscriminator::features(const Tensor& image, const Tensor&) {
  check_image(image);
  const int64_t least = int64_t{3} << config().layers;
  if (image.size(2) < least || image.size(3) < least) {
    throw Error(fmt::format("the PatchGAN of {} layers takes images of {}x{} at least, not {}x{}",
                            config().layers, least, least, image.size(3), image.size(2)));
  }
  Tensor x = image;
  for (size_t i = 0; i + 1 < stages_.size(); ++i) {
    x = stages_[i].conv->forward(x);
    if (stages_[i].norm) x = stages_[i].norm->forward(x);
    x = leaky_relu_in_place(x, leaky_slope);
  }
  return x;
}

void NLayerDiscriminator::draw(const at::Generator& generator) {
  draw_defaults(*this, generator);
  draw_normal(*this, kDeviation, generator);
  zero_biases(*this);
}

StateDict nlayer_keys(const StateDict& weights) {
  constexpr std::string_view copied = "main.";
  StateDict renamed;
  for (const auto& [key, tensor] : weights)
    renamed[key.starts_with(copied) ? "model." + key.substr(copied.size()) : key] = tensor;
  return renamed;
}

}  // namespace sr
