// The residual groups of SwinIR.

#include "nets/layers.h"
#include "nets/swinir.h"

namespace sr {
namespace {

constexpr double kLeakySlope = 0.2;

}  // namespace

SwinGroup::SwinGroup(const SwinIRConfig& config, size_t index) {
  for (int64_t i = 0; i < config.depths[index]; ++i)
    blocks.push_back(std::make_shared<SwinLayer>(config.layer(index, i)));
  register_list(*register_container(*this, "residual_group"), "blocks", blocks);
  convs = register_residual_convs(*this, "conv", config);
}

Tensor SwinGroup::forward(const Tensor& input, const WindowPlan& plan) const {
  Tensor x = input;
  for (const auto& block : blocks) x = block->forward(x, plan);
  return input + residual_convs(convs, x.permute({0, 3, 1, 2})).permute({0, 2, 3, 1});
}

std::vector<std::shared_ptr<Conv2d>> register_residual_convs(torch::nn::Module& parent,
                                                             const std::string& name,
                                                             const SwinIRConfig& config) {
  const int64_t wide = config.embedding, narrow = config.embedding / 4;
  if (!config.three_convs) return {parent.register_module(name, std::make_shared<Conv2d>(wide, wide))};
  const auto list = register_container(parent, name);
  // Activations take an index too.
  return {list->register_module("0", std::make_shared<Conv2d>(wide, narrow)),
          list->register_module("2", std::make_shared<Conv2d>(narrow, narrow, pointwise())),
          list->register_module("4", std::make_shared<Conv2d>(narrow, wide))};
}

Tensor residual_convs(const std::vector<std::shared_ptr<Conv2d>>& convs, const Tensor& features) {
  Tensor x = convs.front()->forward(features);
  for (size_t i = 1; i < convs.size(); ++i) x = convs[i]->forward(leaky_relu_in_place(x, kLeakySlope));
  return x;
}

}  // namespace sr
