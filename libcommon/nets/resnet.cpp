#include "nets/resnet.h"

#include <algorithm>

#include "nets/feature_maps.h"

namespace sr {
namespace {

constexpr int64_t kExpansion = 4;

}  // namespace

NormedConv register_normed_conv(torch::nn::Module& parent, const std::string& conv, const std::string& norm,
                                int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  const ConvOptions options{
      .kernel = kernel, .stride = stride, .padding = kernel / 2, .groups = 1, .bias = false};
  return {parent.register_module(conv, std::make_shared<Conv2d>(in, out, options)),
          parent.register_module(norm, std::make_shared<BatchNorm>(out))};
}

Tensor NormedConv::forward(const Tensor& input) const {
  const Tensor x = convolve(*conv, input);
  return norm ? norm->forward(x) : x;
}

void NormedConv::fold() {
  if (!norm) return;
  const at::NoGradGuard no_grad;
  const Tensor factor =
      norm->weight.to(at::kDouble) / (norm->running_var.to(at::kDouble) + BatchNorm::epsilon).sqrt();
  conv->weight.mul_(factor.to(at::kFloat).view({-1, 1, 1, 1}));
  conv->bias = (norm->bias - norm->running_mean * factor).to(at::kFloat);
  norm.reset();
}

ResNetBottleneck::ResNetBottleneck(int64_t in, int64_t width, int64_t stride, bool project)
    : reduce_(register_normed_conv(*this, "conv1", "bn1", in, width, 1, 1)),
      conv_(register_normed_conv(*this, "conv2", "bn2", width, width, 3, stride)),
      expand_(register_normed_conv(*this, "conv3", "bn3", width, kExpansion * width, 1, 1)) {
  if (!project) return;
  auto& downsample = *register_container(*this, "downsample");
  shortcut_ = register_normed_conv(downsample, "0", "1", in, kExpansion * width, 1, stride);
}

Tensor ResNetBottleneck::forward(const Tensor& input) const {
  const Tensor shortcut = shortcut_.conv ? shortcut_.forward(input) : input;
  const Tensor x = relu_in_place(conv_.forward(relu_in_place(reduce_.forward(input))));
  return relu_in_place(expand_.forward(x).add_(shortcut));
}

void ResNetBottleneck::fold() {
  for (NormedConv* pair : {&reduce_, &conv_, &expand_, &shortcut_}) pair->fold();
}

ResNet::ResNet(const std::vector<int64_t>& depths, int64_t width)
    : stem_(register_normed_conv(*this, "conv1", "bn1", 3, width, 7, 2)) {
  int64_t in = width;
  for (size_t level = 0; level < depths.size(); ++level) {
    const int64_t out = kExpansion * width << level;
    auto& blocks = layers_.emplace_back();
    for (int64_t i = 0; i < depths[level]; ++i) {
      blocks.push_back(std::make_shared<ResNetBottleneck>(i == 0 ? in : out, out / kExpansion,
                                                          i == 0 && level > 0 ? 2 : 1, i == 0));
    }
    register_list(*this, "layer" + std::to_string(level + 1), blocks);
    in = out;
  }
}

std::vector<Tensor> ResNet::features(const Tensor& image, size_t levels) const {
  std::vector<Tensor> found{relu_in_place(stem_.forward(channels_last(image)))};
  Tensor x = at::max_pool2d(found[0], {3, 3}, {2, 2}, {1, 1});
  for (size_t level = 0; level < std::min(levels, layers_.size()); ++level) {
    for (const auto& block : layers_[level]) x = block->forward(x);
    found.push_back(x);
  }
  return found;
}

void ResNet::fold() {
  stem_.fold();
  for (const auto& layer : layers_) {
    for (const auto& block : layer) block->fold();
  }
}

bool spare_in_resnet(const std::string& key) { return key.starts_with("fc."); }

}  // namespace sr
