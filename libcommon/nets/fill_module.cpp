#include "nets/fill_module.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <vector>

#include "core/error.h"

namespace sr {
namespace {

constexpr size_t shown_complaints = 6;

/// PyTorch has counted batches since version 0.4.1 only, and nothing depends on the count.
bool may_be_missing(const std::string& key) { return key.ends_with("num_batches_tracked"); }

std::map<std::string, Tensor> tensors_of(const torch::nn::Module& module) {
  std::map<std::string, Tensor> tensors;
  for (const auto& parameter : module.named_parameters()) tensors[parameter.key()] = parameter.value();
  for (const auto& buffer : module.named_buffers()) tensors[buffer.key()] = buffer.value();
  return tensors;
}

std::vector<std::string> complaints(const std::map<std::string, Tensor>& own, const StateDict& weights,
                                    const std::function<bool(const std::string&)>& spare) {
  std::vector<std::string> found;
  for (const auto& [key, tensor] : own) {
    const auto entry = weights.find(key);
    if (entry == weights.end()) {
      if (may_be_missing(key)) continue;
      found.push_back(fmt::format("{} is missing", key));
    } else if (entry->second.sizes() != tensor.sizes()) {
      found.push_back(fmt::format("{} is {}, not {}", key, fmt::join(entry->second.sizes(), "x"),
                                  fmt::join(tensor.sizes(), "x")));
    }
  }
  for (const auto& entry : weights) {
    if (!own.count(entry.first) && !(spare && spare(entry.first)))
      found.push_back(fmt::format("{} is unexpected", entry.first));
  }
  return found;
}

/// Throws Error where there are complaints.
void check(const std::string& network, std::vector<std::string> found) {
  if (found.empty()) return;
  const size_t more = found.size() - std::min(shown_complaints, found.size());
  found.resize(found.size() - more);
  throw Error(fmt::format("the weights do not fit {}: {}{}", network, fmt::join(found, "; "),
                          more > 0 ? fmt::format("; and {} more", more) : ""));
}

}  // namespace

void copy_weights(torch::nn::Module& module, const StateDict& weights,
                  const std::function<bool(const std::string&)>& spare) {
  auto own = tensors_of(module);
  check(module.name(), complaints(own, weights, spare));
  const at::NoGradGuard no_grad;
  for (auto& [key, tensor] : own) {
    const auto entry = weights.find(key);
    if (entry != weights.end()) tensor.copy_(entry->second);
  }
}

void fill_module(torch::nn::Module& module, const StateDict& weights,
                 const std::function<bool(const std::string&)>& spare) {
  copy_weights(module, weights, spare);
  for (auto& parameter : module.parameters()) parameter.requires_grad_(false);
  module.eval();
}

}  // namespace sr
