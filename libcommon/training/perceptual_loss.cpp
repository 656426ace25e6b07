#include "training/perceptual_loss.h"

#include <fmt/format.h>

#include "core/error.h"

namespace sr {
namespace {

using Criterion = PerceptualLossConfig::Criterion;

const PerceptualLossConfig& checked(const PerceptualLossConfig& config) {
  if (config.layer_weights.size() == config.vgg.layers.size()) return config;
  throw Error(fmt::format("the perceptual loss has {} layers and {} weights for them",
                          config.vgg.layers.size(), config.layer_weights.size()));
}

Tensor distance(Criterion criterion, const Tensor& a, const Tensor& b) {
  const Tensor difference = a - b;
  if (criterion == Criterion::l1) return difference.abs().mean();
  return criterion == Criterion::l2 ? difference.square().mean() : difference.norm();
}

}  // namespace

PerceptualLossConfig PerceptualLossConfig::esrgan() {
  PerceptualLossConfig config;
  config.vgg.layers = {"conv1_2", "conv2_2", "conv3_4", "conv4_4", "conv5_4"};
  config.layer_weights = {0.1, 0.1, 1, 1, 1};
  return config;
}

PerceptualLossConfig PerceptualLossConfig::sed() {
  PerceptualLossConfig config;
  config.vgg.layers = {"2", "7", "16", "25", "34"};
  config.layer_weights = {0.1, 0.1, 1, 1, 1};
  return config;
}

Tensor gram_matrix(const Tensor& features) {
  const Tensor rows = features.to(at::kFloat).flatten(2);
  return at::bmm(rows, rows.transpose(1, 2)) / (features.numel() / features.size(0));
}

Tensor PerceptualLoss::Terms::sum() const {
  if (!style.defined()) return features;
  return features.defined() ? features + style : style;
}

PerceptualLoss::PerceptualLoss(const PerceptualLossConfig& config, const StateDict& vgg_weights)
    : config_(checked(config)), vgg_(config.vgg, vgg_weights) {}

PerceptualLoss::Terms PerceptualLoss::operator()(const Tensor& prediction, const Tensor& target) const {
  const std::vector<Tensor> found = vgg_(prediction);
  std::vector<Tensor> wanted;
  {
    const at::NoGradGuard no_grad;
    wanted = vgg_(target.detach());
  }
  const auto total = [&](double weight, const auto& seen) {
    Tensor sum;
    if (weight == 0) return sum;
    for (size_t i = 0; i < found.size(); ++i) {
      const Tensor term =
          weight * config_.layer_weights[i] * distance(config_.criterion, seen(found[i]), seen(wanted[i]));
      sum = sum.defined() ? sum + term : term;
    }
    return sum;
  };
  const auto features = [](const Tensor& map) { return map.to(at::kFloat); };
  return {total(config_.weight, features), total(config_.style_weight, gram_matrix)};
}

}  // namespace sr
