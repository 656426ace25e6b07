#include "training/optimiser.h"

#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/fill_module.h"
#include "training/update_passes.h"

namespace sr {
namespace {

void check(const AdamConfig& config) {
  for (const double beta : {config.beta1, config.beta2}) {
    if (beta < 0 || beta >= 1) throw Error(fmt::format("Adam's betas are between 0 and 1, not {}", beta));
  }
  if (config.epsilon < 0 || config.weight_decay < 0)
    throw Error("Adam's epsilon and weight decay can't be negative");
}

/// In the parameter's layout, which the loops ask for.
Tensor laid_out_as(const Tensor& gradient, const Tensor& parameter) {
  if (gradient.strides() == parameter.strides()) return gradient;
  return at::empty_like(parameter).copy_(gradient);
}

}  // namespace

struct Adam::Entry {
  Tensor parameter, gradient, exp_avg, exp_avg_sq;
  Tensor average;  ///< undefined: none

  bool fused() const {
    return suits_update_passes(parameter) && gradient.scalar_type() == at::kFloat &&
           (!average.defined() || average.strides() == parameter.strides());
  }
};

Adam::Adam(NamedParameters parameters, const AdamConfig& config)
    : parameters_(std::move(parameters)), config_(config) {
  check(config);
  if (parameters_.empty()) throw Error("there are no parameters to train");
  for (const auto& [name, parameter] : parameters_) {
    exp_avg_.push_back(at::zeros_like(parameter.detach()));
    exp_avg_sq_.push_back(at::zeros_like(parameter.detach()));
  }
}

double Adam::bias(double beta) const { return 1 - std::pow(beta, static_cast<double>(steps_)); }

void Adam::step(double learning_rate, Ema* average) {
  const at::NoGradGuard no_grad;
  ++steps_;
  const double decay = average ? average->decay() : 0;
  std::vector<Entry> fused, others;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const auto& [name, parameter] = parameters_[i];
    const Tensor own_average = average ? average->find(name) : Tensor();
    if (!parameter.grad().defined()) {
      if (own_average.defined()) Tensor(own_average).mul_(decay).add_(parameter, 1 - decay);
      continue;
    }
    const Entry entry{parameter.detach(), laid_out_as(parameter.grad(), parameter), exp_avg_[i],
                      exp_avg_sq_[i], own_average};
    (entry.fused() ? fused : others).push_back(entry);
  }
  step_fused(fused, learning_rate, decay);
  if (!others.empty()) step_by_operations(others, learning_rate, decay);
}

void Adam::step_fused(const std::vector<Entry>& entries, double learning_rate, double average_decay) const {
  std::vector<UpdateSpan> spans;
  for (const Entry& entry : entries) {
    spans.push_back({.size = entry.parameter.numel(),
                     .parameter = entry.parameter.data_ptr<float>(),
                     .gradient = entry.gradient.data_ptr<float>(),
                     .exp_avg = entry.exp_avg.data_ptr<float>(),
                     .exp_avg_sq = entry.exp_avg_sq.data_ptr<float>(),
                     .average = entry.average.defined() ? entry.average.data_ptr<float>() : nullptr});
  }
  const auto number = [](double value) { return static_cast<float>(value); };
  const double decay = config_.weight_decay;
  adam_pass(spans,
            {.beta1 = number(config_.beta1),
             .one_minus_beta1 = number(1 - config_.beta1),
             .beta2 = number(config_.beta2),
             .one_minus_beta2 = number(1 - config_.beta2),
             .decay = config_.decoupled ? 0 : number(decay),
             .keep = config_.decoupled ? number(1 - learning_rate * decay) : 1,
             .root_of_bias2 = number(std::sqrt(bias(config_.beta2))),
             .epsilon = number(config_.epsilon),
             .step_size = number(learning_rate / bias(config_.beta1))},
            AverageFactors(average_decay));
}

void Adam::step_by_operations(const std::vector<Entry>& entries, double learning_rate,
                              double average_decay) const {
  std::vector<Tensor> parameters, gradients, first, second;
  for (const Entry& entry : entries) {
    parameters.push_back(entry.parameter);
    gradients.push_back(entry.gradient);
    first.push_back(entry.exp_avg);
    second.push_back(entry.exp_avg_sq);
  }
  if (config_.decoupled) {
    at::_foreach_mul_(parameters, 1 - learning_rate * config_.weight_decay);
  } else if (config_.weight_decay != 0) {
    gradients = at::_foreach_add(gradients, parameters, config_.weight_decay);
  }
  at::_foreach_mul_(first, config_.beta1);
  at::_foreach_add_(first, gradients, 1 - config_.beta1);
  at::_foreach_mul_(second, config_.beta2);
  at::_foreach_addcmul_(second, gradients, gradients, 1 - config_.beta2);
  auto denominators = at::_foreach_sqrt(second);
  at::_foreach_div_(denominators, std::sqrt(bias(config_.beta2)));
  at::_foreach_add_(denominators, config_.epsilon);
  at::_foreach_addcdiv_(parameters, first, denominators, -learning_rate / bias(config_.beta1));
  for (const Entry& entry : entries) {
    if (entry.average.defined())
      Tensor(entry.average).mul_(average_decay).add_(entry.parameter, 1 - average_decay);
  }
}

StateDict Adam::state() const {
  StateDict state{{"step", at::scalar_tensor(steps_, at::kLong)}};
  for (size_t i = 0; i < parameters_.size(); ++i) {
    state["exp_avg." + parameters_[i].first] = exp_avg_[i];
    state["exp_avg_sq." + parameters_[i].first] = exp_avg_sq_[i];
  }
  return state;
}

void Adam::load_state(const StateDict& state) {
  const StateDict own = this->state();
  copy_tensors(state, own, "the optimiser's state");
  steps_ = own.at("step").item<int64_t>();
}

}  // namespace sr
