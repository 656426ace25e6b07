#include "nets/draw.h"

#include <cmath>

#include "nets/batch_norm.h"
#include "nets/group_norm.h"
#include "nets/layers.h"
#include "nets/spectral_conv.h"

namespace sr {
namespace {

void draw_default(WeightLayer& layer, const at::Generator& generator) {
  const auto inputs = static_cast<double>(layer.weight.numel() / layer.weight.size(0));
  const double limit = 1 / std::sqrt(inputs);
  layer.weight.uniform_(-limit, limit, generator);
  if (layer.bias.defined()) layer.bias.uniform_(-limit, limit, generator);
}

template <class Norm>
void reset(Norm& norm) {
  norm.weight.fill_(1);
  norm.bias.zero_();
}

}  // namespace

void draw_defaults(torch::nn::Module& module, const at::Generator& generator) {
  const at::NoGradGuard no_grad;
  for (const auto& child : module.modules(/*include_self=*/false)) {
    if (auto* layer = dynamic_cast<WeightLayer*>(child.get())) draw_default(*layer, generator);
    if (auto* conv = dynamic_cast<SpectralConv2d*>(child.get())) conv->draw(generator);
    if (auto* norm = dynamic_cast<BatchNorm*>(child.get())) norm->reset();
    if (auto* norm = dynamic_cast<LayerNorm*>(child.get())) reset(*norm);
    if (auto* norm = dynamic_cast<GroupNorm*>(child.get())) reset(*norm);
  }
}

void draw_normal(torch::nn::Module& module, double deviation, const at::Generator& generator) {
  const at::NoGradGuard no_grad;
  for (const auto& child : module.modules(/*include_self=*/false)) {
    if (auto* layer = dynamic_cast<WeightLayer*>(child.get())) layer->weight.normal_(0, deviation, generator);
    if (auto* conv = dynamic_cast<SpectralConv2d*>(child.get()))
      conv->weight_orig.normal_(0, deviation, generator);
    if (auto* norm = dynamic_cast<BatchNorm*>(child.get())) norm->weight.normal_(1, deviation, generator);
  }
}

void zero_biases(torch::nn::Module& module) {
  const at::NoGradGuard no_grad;
  for (const auto& child : module.modules(/*include_self=*/false)) {
    auto* layer = dynamic_cast<WeightLayer*>(child.get());
    if (layer && layer->bias.defined()) layer->bias.zero_();
    auto* conv = dynamic_cast<SpectralConv2d*>(child.get());
    if (conv && conv->bias.defined()) conv->bias.zero_();
  }
}

}  // namespace sr
