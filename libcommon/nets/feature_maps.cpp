#include "nets/feature_maps.h"

namespace sr {
namespace {

bool onednn_fits(const Conv2d& conv, const Tensor& map) {
  const bool learns = at::GradMode::is_enabled() && (map.requires_grad() || conv.weight.requires_grad());
  return at::hasMKLDNN() && map.is_cpu() && map.scalar_type() == at::kFloat &&
         conv.weight.scalar_type() == at::kFloat && !conv.options().transposed && map.numel() > 0 && !learns;
}

}  // namespace

void put_channels_last(const torch::nn::Module& module) {
  for (const auto& child : module.modules(/*include_self=*/false)) {
    if (const auto conv = std::dynamic_pointer_cast<Conv2d>(child)) conv->set_precision(at::kFloat);
  }
}

Tensor convolve(const Conv2d& conv, const Tensor& map) {
  if (!onednn_fits(conv, map)) return conv.forward(map);
  const ConvOptions& o = conv.options();
  return at::mkldnn_convolution(map, conv.weight, conv.bias, {o.padding, o.padding}, {o.stride, o.stride},
                                {1, 1}, o.groups);
}

Tensor gelu_of_map(const Tensor& map) { return at::gelu(map.permute({0, 2, 3, 1})).permute({0, 3, 1, 2}); }

}  // namespace sr
