#include "training/ema.h"

#include <fmt/format.h>

#include "core/error.h"
#include "nets/fill_module.h"
#include "training/update_passes.h"

namespace sr {

Ema::Ema(NamedParameters of, double decay) : parameters_(std::move(of)), decay_(decay) {
  if (decay < 0 || decay >= 1)
    throw Error(fmt::format("the moving average's decay is between 0 and 1, not {}", decay));
  for (const auto& [name, parameter] : parameters_) averages_[name] = parameter.detach().clone();
}

void Ema::update() {
  const at::NoGradGuard no_grad;
  std::vector<UpdateSpan> spans;
  for (const auto& [name, parameter] : parameters_) {
    Tensor& average = averages_.at(name);
    if (suits_update_passes(parameter) && average.strides() == parameter.strides()) {
      spans.push_back({.size = parameter.numel(),
                       .parameter = parameter.data_ptr<float>(),
                       .average = average.data_ptr<float>()});
    } else {
      average.mul_(decay_).add_(parameter, 1 - decay_);
    }
  }
  average_pass(spans, AverageFactors(decay_));
}

Tensor Ema::find(const std::string& name) const {
  const auto found = averages_.find(name);
  return found == averages_.end() ? Tensor() : found->second;
}

void Ema::load_state(const StateDict& state) { copy_tensors(state, averages_, "the moving average"); }

}  // namespace sr
