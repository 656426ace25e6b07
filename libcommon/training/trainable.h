#pragma once
// What a training run (see run.h) drives: something that learns from a batch at a time.

#include <ATen/core/Generator.h>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "training/batch_source.h"
#include "training/learner.h"
#include "training/process_group.h"
#include "weights/state_dict.h"

namespace sr {

/// Losses by their names in the log; each a number with its history.
using LossTerms = std::vector<std::pair<std::string, Tensor>>;

/// What an iteration came to.
struct StepReport {
  std::vector<std::pair<std::string, double>> losses;  ///< weighted, means over the batch
  Learner::Step taken;                                 ///< by the network that the run is for

  /// Adds `share` of each to the loss of its name. Throws Error where one is no number.
  void add(const LossTerms& terms, double share);
  /// Losses become means over the ranks; null: there are no others.
  void take_means(ProcessGroup* group);
};

class Trainable {
 public:
  virtual ~Trainable() = default;
  /// Iteration `iteration` (from 0 on). A function of the state, the batch and the iteration alone. Throws
  /// Error where a loss is no number.
  virtual StepReport step(std::int64_t iteration, const TrainingBatch& batch) = 0;
  /// All that it takes to go on, by name. The tensors are those in use, no copies.
  virtual StateDict state() const = 0;
  /// Goes on from such a state. Throws Error that says which tensors don't fit, and why.
  virtual void load_state(const StateDict& state) = 0;
};

/// What the mean over a part of the batch counts in the mean over all: parts are not equal where their number
/// doesn't divide a rank's pictures.
double share_of(const Tensor& part, const Tensor& batch);

/// What new networks are drawn with.
at::Generator weight_draws(std::uint64_t seed);

/// What networks draw while they train (dropped paths) becomes a function of seed, iteration and rank.
void seed_network_draws(std::uint64_t seed, std::int64_t iteration, const ProcessGroup* group);

}  // namespace sr
