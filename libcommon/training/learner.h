#pragma once
// Parameters, what optimises them, and the sums of their gradients over the ranks.

#include <memory>
#include <string>

#include "training/gradient_reducer.h"
#include "training/optimiser.h"
#include "training/run_config.h"

namespace sr {

class Learner {
 public:
  /// `name` is told in errors. `group`, which must outlive this, may be null: alone.
  Learner(std::string name, NamedParameters parameters, const OptimiserConfig& config, ProcessGroup* group);

  const std::string& name() const { return name_; }
  const NamedParameters& parameters() const { return parameters_; }
  /// Whether the parameters take gradients: not while another network is trained through these.
  void require_gradients(bool wanted) const;
  /// Before an iteration's first backward pass.
  void drop_gradients() const;
  /// Before each backward pass that nothing but these learns from; see GradientReducer.
  void expect_backward(bool last);

  struct Step {
    double rate = 0;
    double gradient_norm = 0;  ///< before clipping
  };
  /// After the last backward pass. `average` follows in the same pass; null: none. Throws Error where the
  /// gradient isn't finite, with nothing changed.
  Step step(std::int64_t iteration, Ema* average = nullptr);

  /// The optimiser's; the parameters are not among it.
  StateDict state() const { return optimiser_.state(); }
  void load_state(const StateDict& state) { optimiser_.load_state(state); }

 private:
  std::string name_;
  NamedParameters parameters_;
  OptimiserConfig config_;
  Adam optimiser_;
  std::unique_ptr<GradientReducer> reducer_;  ///< with a group
};

}  // namespace sr
