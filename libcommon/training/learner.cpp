#include "training/learner.h"

#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "training/gradients.h"

namespace sr {

Learner::Learner(std::string name, NamedParameters parameters, const OptimiserConfig& config,
                 ProcessGroup* group)
    : name_(std::move(name)),
      parameters_(std::move(parameters)),
      config_(config),
      optimiser_(parameters_, config.adam) {
  if (group != nullptr) reducer_ = std::make_unique<GradientReducer>(*group, parameters_);
}

void Learner::require_gradients(bool wanted) const {
  for (const auto& [name, parameter] : parameters_) parameter.requires_grad_(wanted);
}

void Learner::drop_gradients() const { sr::drop_gradients(parameters_); }

void Learner::expect_backward(bool last) {
  if (reducer_) reducer_->expect_backward(last);
}

Learner::Step Learner::step(std::int64_t iteration, Ema* average) {
  if (reducer_) reducer_->finish();
  Step step;
  step.gradient_norm = config_.clip_norm > 0 ? clip_gradient_norm(parameters_, config_.clip_norm)
                                             : sr::gradient_norm(parameters_);
  if (!std::isfinite(step.gradient_norm))
    throw Error(fmt::format("the gradient of the {} is not finite", name_));
  step.rate = config_.schedule.rate(iteration);
  optimiser_.step(step.rate, average);
  return step;
}

}  // namespace sr
