#include "training/parameters.h"

namespace sr {

NamedParameters all_parameters(const torch::nn::Module& module) {
  NamedParameters found;
  for (const auto& parameter : module.named_parameters())
    found.emplace_back(parameter.key(), parameter.value());
  return found;
}

NamedParameters trained_parameters(const torch::nn::Module& module) {
  NamedParameters found = all_parameters(module);
  std::erase_if(found, [](const auto& entry) { return !entry.second.requires_grad(); });
  return found;
}

void drop_gradients(const NamedParameters& parameters) {
  for (const auto& [name, parameter] : parameters) parameter.mutable_grad() = Tensor();
}

}  // namespace sr
