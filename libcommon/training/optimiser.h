#pragma once
// Adam and AdamW. Papers: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015; Loshchilov
// and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019. Held against: PyTorch 1.13
// torch/optim/adam.py, adamw.py, to within rounding.
//
// On the CPU all is done in one pass over the numbers (training/update_passes.h), the moving average
// included; elsewhere by tensor operations on all parameters at once.

#include <array>

#include "training/ema.h"

namespace sr {

struct AdamConfig {
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled = false;  ///< AdamW: the decay shrinks the parameter itself, not the gradient's average
};

class Adam {
 public:
  /// Throws Error where a beta isn't in [0,1), epsilon or the decay is negative, or nothing is to be trained.
  Adam(NamedParameters parameters, const AdamConfig& config);

  /// One update from the parameters' gradients. Parameters without one stay, their averages follow.
  /// `average`: is brought up to date for this optimiser's parameters in the same pass; null: none. One count
  /// of steps serves all parameters (PyTorch's differ where one had no gradient for a time).
  void step(double learning_rate, Ema* average = nullptr);
  const NamedParameters& parameters() const { return parameters_; }
  int64_t steps() const { return steps_; }

  /// `exp_avg.NAME`, `exp_avg_sq.NAME` for every parameter, and `step` (int64). The moments are the
  /// optimiser's own tensors, no copies.
  StateDict state() const;
  /// Takes the values of such a state. Throws Error where names or shapes differ; nothing is changed then.
  void load_state(const StateDict& state);

 private:
  struct Entry;  // a parameter of this step

  void step_fused(const std::vector<Entry>& entries, double learning_rate, double average_decay) const;
  void step_by_operations(const std::vector<Entry>& entries, double learning_rate,
                          double average_decay) const;
  double bias(double beta) const;

  NamedParameters parameters_;
  AdamConfig config_;
  std::vector<Tensor> exp_avg_, exp_avg_sq_;
  int64_t steps_ = 0;
};

}  // namespace sr
