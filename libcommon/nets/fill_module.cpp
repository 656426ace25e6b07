#include "nets/fill_module.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <vector>

#include "core/error.h"

namespace sr {
namespace {

constexpr size_t kShownComplaints = 6;

/// PyTorch has counted batches since version 0.4.1 only, and nothing depends on the count.
bool may_be_missing(const std::string& key) { return key.ends_with("num_batches_tracked"); }

std::vector<std::string> complaints(const StateDict& own, const StateDict& weights,
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

void check_fit(const StateDict& values, const StateDict& into, const std::string& what,
               const std::function<bool(const std::string&)>& spare) {
  auto found = complaints(into, values, spare);
  if (found.empty()) return;
  const size_t more = found.size() - std::min(kShownComplaints, found.size());
  found.resize(found.size() - more);
  throw Error(fmt::format("{}: {}{}", what, fmt::join(found, "; "),
                          more > 0 ? fmt::format("; and {} more", more) : ""));
}

std::string misfit_of(const torch::nn::Module& module) { return "the weights do not fit " + module.name(); }

}  // namespace

StateDict tensors_of(const torch::nn::Module& module) {
  StateDict tensors;
  for (const auto& parameter : module.named_parameters())
    tensors[parameter.key()] = parameter.value().detach();
  for (const auto& buffer : module.named_buffers()) tensors[buffer.key()] = buffer.value();
  return tensors;
}

void copy_tensors(const StateDict& values, const StateDict& into, const std::string& what,
                  const std::function<bool(const std::string&)>& spare) {
  check_fit(values, into, what, spare);
  const at::NoGradGuard no_grad;
  for (const auto& [key, tensor] : into) {
    const auto entry = values.find(key);
    if (entry != values.end()) tensor.copy_(entry->second);
  }
}

void copy_weights(torch::nn::Module& module, const StateDict& weights,
                  const std::function<bool(const std::string&)>& spare) {
  copy_tensors(weights, tensors_of(module), misfit_of(module), spare);
}

void fill_module(torch::nn::Module& module, const StateDict& weights,
                 const std::function<bool(const std::string&)>& spare) {
  check_fit(weights, tensors_of(module), misfit_of(module), spare);
  for (auto& parameter : module.named_parameters()) {
    parameter->requires_grad_(false);
    parameter->set_data(weights.at(parameter.key()).detach().to(parameter->options()).contiguous());
  }
  for (auto& buffer : module.named_buffers()) {
    const auto entry = weights.find(buffer.key());
    if (entry != weights.end()) buffer->copy_(entry->second);
  }
  module.eval();
}

}  // namespace sr
