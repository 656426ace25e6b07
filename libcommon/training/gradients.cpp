#include "training/gradients.h"

#include <cmath>

#include "training/update_passes.h"

namespace sr {

double gradient_norm(const NamedParameters& parameters) {
  const at::NoGradGuard no_grad;
  std::vector<UpdateSpan> spans;
  std::vector<Tensor> others;
  for (const auto& [name, parameter] : parameters) {
    const Tensor& gradient = parameter.grad();
    if (!gradient.defined()) continue;
    if (suits_update_passes(gradient)) {
      spans.push_back({.size = gradient.numel(), .gradient = gradient.data_ptr<float>()});
    } else {
      others.push_back(gradient.norm());
    }
  }
  double squares = sum_of_squares(spans);
  // one transfer from the device, not one a parameter
  if (!others.empty()) squares += at::stack(others).to(at::kDouble).square().sum().item<double>();
  return std::sqrt(squares);
}

double clip_gradient_norm(const NamedParameters& parameters, double longest) {
  const double norm = gradient_norm(parameters), factor = longest / (norm + 1e-6);
  if (factor >= 1) return norm;
  const at::NoGradGuard no_grad;
  std::vector<Tensor> gradients;
  for (const auto& [name, parameter] : parameters) {
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  }
  if (!gradients.empty()) at::_foreach_mul_(gradients, factor);
  return norm;
}

}  // namespace sr
