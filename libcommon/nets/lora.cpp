#include "nets/lora.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>

#include "core/error.h"
#include "nets/keys.h"

namespace sr {
namespace {

constexpr const char* kNameA = "lora_A";
constexpr const char* kNameB = "lora_B";

/// visit(name, layer) for every layer below `module` that LoRA may stand beside.
void each_layer(const torch::nn::Module& module,
                const std::function<void(const std::string&, LoraLinear&)>& visit) {
  for (const auto& child : module.named_modules(/*name_prefix=*/{}, /*include_self=*/false)) {
    if (auto* layer = dynamic_cast<LoraLinear*>(child.value().get())) visit(child.key(), *layer);
  }
}

void copy_checked(Tensor& into, const StateDict& weights, const std::string& key) {
  const auto found = weights.find(key);
  if (found == weights.end()) throw Error(fmt::format("LoRA's weights lack '{}'", key));
  if (found->second.sizes() != into.sizes()) {
    throw Error(fmt::format("LoRA does not fit the network: {} is {}, not {}", key,
                            fmt::join(found->second.sizes(), "x"), fmt::join(into.sizes(), "x")));
  }
  const at::NoGradGuard no_grad;
  into.copy_(found->second);
}

}  // namespace

LoraLinear::LoraLinear(int64_t in, int64_t out, LoraParts parts, bool with_bias)
    : Linear(in, out, with_bias), parts_(std::move(parts)) {
  if (parts_.empty() || out % static_cast<int64_t>(parts_.size()) != 0)
    throw Error(fmt::format("LoRA cannot take {} outputs as {} equal parts", out, parts_.size()));
}

Tensor LoraLinear::forward(const Tensor& input) const {
  const Tensor plain = Linear::forward(input);
  if (!adapted() || muted_) return plain;
  const double scale = 1 / static_cast<double>(lora_B.size(1));
  const Tensor inner = at::linear(input.to(lora_A.scalar_type()), lora_A);
  return plain + at::linear(inner, spread_B()) * scale;
}

Tensor LoraLinear::spread_B() const {
  if (parts_.size() == 1) return lora_B;
  const int64_t rank = lora_B.size(1), part = weight.size(0) / static_cast<int64_t>(parts_.size());
  std::vector<Tensor> rows;
  int64_t changed = 0;
  for (const bool changes : parts_) {
    if (!changes) {
      rows.push_back(at::zeros({part, lora_A.size(0)}, lora_B.options().requires_grad(false)));
      continue;
    }
    const int64_t left = changed * rank, right = lora_A.size(0) - left - rank;
    rows.push_back(at::constant_pad_nd(lora_B.narrow(0, changed * part, part), {left, right}));
    ++changed;
  }
  return at::cat(rows);
}

void LoraLinear::adapt(int64_t rank) {
  remove();
  const int64_t part = weight.size(0) / static_cast<int64_t>(parts_.size());
  const int64_t changed = std::count(parts_.begin(), parts_.end(), true);
  const auto options = weight.options().dtype(at::kFloat).requires_grad(false);
  lora_A = register_parameter(kNameA, torch::zeros({changed * rank, weight.size(1)}, options));
  lora_B = register_parameter(kNameB, torch::zeros({changed * part, rank}, options));
}

void LoraLinear::remove() {
  if (!adapted()) return;
  parameters_.erase(kNameA);
  parameters_.erase(kNameB);
  lora_A = lora_B = Tensor();
}

void LoraLinear::merge() {
  if (!adapted()) return;
  const at::NoGradGuard no_grad;
  const double scale = 1 / static_cast<double>(lora_B.size(1));
  const Tensor merged = weight.to(at::kFloat) + at::mm(spread_B(), lora_A) * scale;
  weight.set_data(merged.to(weight.scalar_type()));
  remove();
}

void adapt_lora(torch::nn::Module& module, int64_t rank) {
  each_layer(module, [rank](const std::string&, LoraLinear& layer) { layer.adapt(rank); });
}

void draw_lora(torch::nn::Module& module, const at::Generator& generator) {
  const at::NoGradGuard no_grad;
  each_layer(module, [&](const std::string&, LoraLinear& layer) {
    if (!layer.adapted()) return;
    const double limit = 1 / std::sqrt(static_cast<double>(layer.lora_A.size(1)));
    layer.lora_A.uniform_(-limit, limit, generator);
    layer.lora_B.zero_();
  });
}

StateDict lora_state(const torch::nn::Module& module) {
  StateDict state;
  each_layer(module, [&](const std::string& name, const LoraLinear& layer) {
    if (!layer.adapted()) return;
    state[fmt::format("{}.{}", name, kNameA)] = layer.lora_A;
    state[fmt::format("{}.{}", name, kNameB)] = layer.lora_B;
  });
  return state;
}

void load_lora(torch::nn::Module& module, const StateDict& weights) {
  bool none = true;
  each_layer(module, [&](const std::string& name, LoraLinear& layer) {
    const std::string a = fmt::format("{}.{}", name, kNameA), b = fmt::format("{}.{}", name, kNameB);
    layer.adapt(keys::extent(weights, b, 1));
    copy_checked(layer.lora_A, weights, a);
    copy_checked(layer.lora_B, weights, b);
    none = false;
  });
  if (none) throw Error("the network has no layer that LoRA could stand beside");
}

void mute_lora(torch::nn::Module& module, bool muted) {
  each_layer(module, [muted](const std::string&, LoraLinear& layer) { layer.mute(muted); });
}

void merge_lora(torch::nn::Module& module) {
  each_layer(module, [](const std::string&, LoraLinear& layer) { layer.merge(); });
}

}  // namespace sr
