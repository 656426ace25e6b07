// The transformer layers of SwinIR.

#include <cmath>

#include "nets/swinir.h"

namespace sr {
namespace {

constexpr double norm_epsilon = 1e-5;
constexpr double leaky_slope = 0.2;

/// [N,H,W,C] -> [N*windows, side^2, C].
Tensor windows_of(const Tensor& x, int64_t side) {
  const int64_t rows = x.size(1) / side, columns = x.size(2) / side, channels = x.size(3);
  return x.view({-1, rows, side, columns, side, channels})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({-1, side * side, channels});
}

/// The inverse: [N*windows, side^2, C] -> [N,height,width,C].
Tensor image_of(const Tensor& windows, int64_t side, int64_t height, int64_t width) {
  const int64_t channels = windows.size(2);
  return windows.view({-1, height / side, width / side, side, side, channels})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({-1, height, width, channels});
}

/// Chance of each layer of group `index` to drop out: rises evenly over all layers of the network.
std::vector<double> path_drops(const SwinIRConfig& config, size_t index) {
  int64_t before = 0, total = 0;
  for (size_t i = 0; i < config.depths.size(); ++i) {
    if (i < index) before += config.depths[i];
    total += config.depths[i];
  }
  std::vector<double> drops;
  for (int64_t i = 0; i < config.depths[index]; ++i) {
    drops.push_back(total > 1 ? config.path_drop_rate * static_cast<double>(before + i) /
                                    static_cast<double>(total - 1)
                              : 0);
  }
  return drops;
}

}  // namespace

WindowAttention::WindowAttention(const SwinIRConfig& config, int64_t heads)
    : qkv(register_module("qkv",
                          std::make_shared<Linear>(config.embedding, 3 * config.embedding, config.qkv_bias))),
      proj(register_module("proj", std::make_shared<Linear>(config.embedding, config.embedding))),
      heads_(heads),
      scale_(config.qk_scale.value_or(1 / std::sqrt(static_cast<double>(config.embedding / heads)))),
      attention_drop_(config.attention_drop_rate),
      drop_(config.drop_rate) {
  const int64_t offsets = 2 * config.effective_window() - 1;
  relative_position_bias_table =
      register_parameter("relative_position_bias_table", torch::zeros({offsets * offsets, heads}));
}

void WindowAttention::add_position_bias(Tensor& scores, const Tensor& positions) const {
  const int64_t pixels = scores.size(-1);
  const Tensor bias = relative_position_bias_table.index_select(0, positions).view({pixels, pixels, heads_});
  scores.add_(bias.permute({2, 0, 1}));
}

Tensor WindowAttention::forward(const Tensor& windows, const Tensor& positions, const Tensor& mask) const {
  const int64_t count = windows.size(0), pixels = windows.size(1), channels = windows.size(2);
  const auto split =
      qkv->forward(windows).view({count, pixels, 3, heads_, channels / heads_}).permute({2, 0, 3, 1, 4});
  const Tensor query = split[0] * scale_, key = split[1], value = split[2];
  Tensor scores = at::matmul(query, key.transpose(-2, -1)).to(relative_position_bias_table.scalar_type());
  add_position_bias(scores, positions);
  if (mask.defined()) {
    const Tensor by_image = scores.view({-1, mask.size(0), heads_, pixels, pixels});
    scores = (by_image + mask.unsqueeze(1)).view_as(scores);
  }
  const Tensor shares = at::dropout(scores.softmax(-1), attention_drop_, is_training());
  const Tensor mixed = at::matmul(shares.to(value.scalar_type()), value).transpose(1, 2);
  return at::dropout(proj->forward(mixed.reshape({count, pixels, channels})), drop_, is_training());
}

SwinMLP::SwinMLP(const SwinIRConfig& config)
    : fc1(register_module("fc1", std::make_shared<Linear>(config.embedding, config.mlp_features()))),
      fc2(register_module("fc2", std::make_shared<Linear>(config.mlp_features(), config.embedding))),
      drop_(config.drop_rate) {}

Tensor SwinMLP::forward(const Tensor& input) const {
  const Tensor hidden = at::dropout(at::gelu(fc1->forward(input)), drop_, is_training());
  return at::dropout(fc2->forward(hidden), drop_, is_training());
}

SwinLayer::SwinLayer(const SwinIRConfig& config, int64_t heads, bool shifted, double path_drop)
    : norm1(register_module("norm1", std::make_shared<LayerNorm>(config.embedding, norm_epsilon))),
      norm2(register_module("norm2", std::make_shared<LayerNorm>(config.embedding, norm_epsilon))),
      attn(register_module("attn", std::make_shared<WindowAttention>(config, heads))),
      mlp(register_module("mlp", std::make_shared<SwinMLP>(config))),
      shifted_(shifted),
      path_drop_(path_drop) {}

Tensor SwinLayer::attend(const Tensor& normalised, const WindowPlan& plan) const {
  const int64_t shift = shifted_ ? plan.shift : 0, height = normalised.size(1), width = normalised.size(2);
  Tensor x = attn->qkv->cast(normalised);  // before the copies of shifting and cutting
  if (shift > 0) x = x.roll({-shift, -shift}, {1, 2});
  x = attn->forward(windows_of(x, plan.side), plan.positions, shift > 0 ? plan.mask : Tensor());
  x = image_of(x, plan.side, height, width);
  return shift > 0 ? x.roll({shift, shift}, {1, 2}) : x;
}

Tensor SwinLayer::dropped(const Tensor& residual) const {
  if (path_drop_ == 0 || !is_training()) return residual;
  const Tensor kept = at::empty({residual.size(0), 1, 1, 1}, residual.options()).bernoulli_(1 - path_drop_);
  return residual * (kept / (1 - path_drop_));
}

Tensor SwinLayer::forward(const Tensor& input, const WindowPlan& plan) const {
  const Tensor x = input + dropped(attend(norm1->forward(input), plan));
  return x + dropped(mlp->forward(norm2->forward(x)));
}

SwinGroup::SwinGroup(const SwinIRConfig& config, size_t index) {
  const auto drops = path_drops(config, index);
  for (size_t i = 0; i < drops.size(); ++i) {
    blocks.push_back(std::make_shared<SwinLayer>(config, config.heads[index], i % 2 == 1, drops[i]));
  }
  register_list(*register_module("residual_group", std::make_shared<torch::nn::Module>("residual_group")),
                "blocks", blocks);
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
  const auto list = parent.register_module(name, std::make_shared<torch::nn::Module>(name));
  // Activations take an index too.
  return {list->register_module("0", std::make_shared<Conv2d>(wide, narrow)),
          list->register_module("2", std::make_shared<Conv2d>(narrow, narrow, pointwise())),
          list->register_module("4", std::make_shared<Conv2d>(narrow, wide))};
}

Tensor residual_convs(const std::vector<std::shared_ptr<Conv2d>>& convs, const Tensor& features) {
  Tensor x = convs.front()->forward(features);
  for (size_t i = 1; i < convs.size(); ++i) x = convs[i]->forward(leaky_relu_in_place(x, leaky_slope));
  return x;
}

}  // namespace sr
