#include "nets/patchgan.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/draw.h"
#include "nets/layers.h"

namespace sr {
namespace {

using Norm = DiscriminatorConfig::PatchNorm;

constexpr int64_t kMostChannels = 512;
constexpr double kDeviation = 0.02;

}  // namespace

Tensor PatchGAN::Stage::forward(const Tensor& input) const {
  const Tensor x = spectral ? spectral->forward(input) : conv->forward(input);
  if (batch) return batch->forward(x);
  return instance ? instance_norm(x) : x;
}

PatchGAN::Stage PatchGAN::make_stage(torch::nn::Module& parent, int64_t in, int64_t out, int64_t stride,
                                     bool normalised) {
  const Norm norm = config().norm;
  const bool spectral = norm == Norm::spectral || norm == Norm::batch_spectral;
  const bool batch = norm == Norm::batch || norm == Norm::batch_spectral;
  const std::string name = fmt::format("child{}", stages_.size());
  auto child = register_container(parent, name);
  const ConvOptions options{.kernel = 4, .stride = stride, .padding = 2};
  Stage stage;
  if (spectral)
    stage.spectral = child->register_module("0", std::make_shared<SpectralConv2d>(in, out, options));
  else
    stage.conv = child->register_module("0", std::make_shared<Conv2d>(in, out, options));
  if (normalised && batch) stage.batch = child->register_module("1", std::make_shared<BatchNorm>(out));
  stage.instance = normalised && norm == Norm::instance;
  return stage;
}

PatchGAN::PatchGAN(const DiscriminatorConfig& config) : Discriminator(config) {
  if (config.layers < 1) throw Error("a PatchGAN has one layer at least");
  auto model = register_container(*this, "model");
  int64_t channels = config.width;
  stages_.push_back(make_stage(*model, config.in_channels, channels, 2, /*normalised=*/false));
  for (int64_t n = 1; n <= config.layers; ++n) {
    const int64_t out = std::min(2 * channels, kMostChannels);
    stages_.push_back(make_stage(*model, channels, out, n < config.layers ? 2 : 1, /*normalised=*/true));
    channels = out;
  }
  feature_channels_ = channels;
  stages_.push_back(make_stage(*model, channels, 1, 1, /*normalised=*/false));
}

Tensor PatchGAN::features(const Tensor& image, const Tensor&) {
  check_image(image);
  Tensor x = image;
  for (size_t i = 0; i + 1 < stages_.size(); ++i) x = leaky_relu_in_place(stages_[i].forward(x), leaky_slope);
  return x;
}

void PatchGAN::draw(const at::Generator& generator) {
  draw_defaults(*this, generator);
  draw_normal(*this, kDeviation, generator);
}

}  // namespace sr
