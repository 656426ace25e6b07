// The transformer layers of the Swin family.

#include "nets/swin_layers.h"

#include <cmath>
#include <numeric>

#include "nets/transformer.h"

namespace sr {
namespace {

constexpr double kNormEpsilon = 1e-5;

/// LoRA stands beside such projections only that it may learn.
std::shared_ptr<Linear> qkv_projection(const SwinLayerConfig& config) {
  const int64_t in = config.features, out = 3 * config.features;
  if (config.lora.empty()) return std::make_shared<Linear>(in, out, config.qkv_bias);
  return std::make_shared<LoraLinear>(in, out, config.lora, config.qkv_bias);
}

}  // namespace

WindowAttention::WindowAttention(const SwinLayerConfig& config)
    : qkv(register_module("qkv", qkv_projection(config))),
      proj(register_module("proj", std::make_shared<Linear>(config.features, config.features))),
      heads_(config.heads),
      scale_(config.qk_scale.value_or(1 / std::sqrt(static_cast<double>(config.features / config.heads)))),
      attention_drop_(config.attention_drop_rate),
      drop_(config.drop_rate) {
  const int64_t offsets = 2 * config.window - 1;
  relative_position_bias_table =
      register_parameter("relative_position_bias_table", torch::zeros({offsets * offsets, heads_}));
}

Tensor WindowAttention::position_bias(const Tensor& positions, int64_t pixels) const {
  const Tensor by_head = relative_position_bias_table.t().contiguous();
  return by_head.index_select(1, positions).view({-1, pixels, pixels});
}

Tensor WindowAttention::forward(const Tensor& windows, const Tensor& positions, const Tensor& mask) const {
  const auto parts = qkv->forward(windows).chunk(3, -1);
  const Tensor mixed = attention(parts[0], parts[1], parts[2], heads_,
                                 {.scale = scale_,
                                  .bias = position_bias(positions, windows.size(1)),
                                  .mask = mask,
                                  .dropped = is_training() ? attention_drop_ : 0});
  return at::dropout(proj->forward(mixed), drop_, is_training());
}

SwinMLP::SwinMLP(const SwinLayerConfig& config)
    : fc1(register_module("fc1", std::make_shared<Linear>(config.features, config.mlp_features))),
      fc2(register_module("fc2", std::make_shared<Linear>(config.mlp_features, config.features))),
      drop_(config.drop_rate) {}

Tensor SwinMLP::forward(const Tensor& input) const {
  const Tensor hidden = at::dropout(at::gelu(fc1->forward(input)), drop_, is_training());
  return at::dropout(fc2->forward(hidden), drop_, is_training());
}

SwinLayer::SwinLayer(const SwinLayerConfig& config)
    : norm1(register_module("norm1", std::make_shared<LayerNorm>(config.features, kNormEpsilon))),
      norm2(register_module("norm2", std::make_shared<LayerNorm>(config.features, kNormEpsilon))),
      attn(register_module("attn", std::make_shared<WindowAttention>(config))),
      mlp(register_module("mlp", std::make_shared<SwinMLP>(config))),
      shifted_(config.shifted),
      path_drop_(config.path_drop) {}

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

double rising_path_drop(double rate, const std::vector<int64_t>& depths, size_t group, int64_t index) {
  const auto begin = depths.begin(), own = begin + static_cast<std::ptrdiff_t>(group);
  const int64_t before = std::accumulate(begin, own, index);
  const int64_t total = std::accumulate(begin, depths.end(), int64_t{0});
  return total > 1 ? rate * static_cast<double>(before) / static_cast<double>(total - 1) : 0;
}

bool computed_of_windows(const std::string& key) {
  return key.ends_with(".attn_mask") || key.ends_with(".relative_position_index");
}

}  // namespace sr
