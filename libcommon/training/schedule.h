#pragma once
// The learning rate as a function of the iteration, so that a run that stops and resumes needs no state of
// it. Source: BasicSR basicsr/models/lr_scheduler.py MultiStepRestartLR, CosineAnnealingRestartLR;
// base_model.py update_learning_rate (@8d56e3a); torch/optim/lr_scheduler.py MultiStepLR.
//
// Iterations count from 0. The first iteration of BasicSR, which counts from 1, is iteration 0 here; both
// have the milestone 100 change the rate after 100 iterations are done.

#include <cstdint>
#include <variant>
#include <vector>

namespace sr {

struct ConstantRate {};

/// From each milestone on, times `gamma`.
struct MultiStepRate {
  std::vector<int64_t> milestones = {};  ///< ascending; one that stands twice counts twice
  double gamma = 0.5;
};

/// Half a cosine in each period, from the base rate times the period's weight down to `minimum`, which the
/// iteration that ends a period has exactly (BasicSR restarts one iteration later) and all after the last.
struct CosineRate {
  std::vector<int64_t> periods = {};  ///< iterations of each
  std::vector<double> weights = {};   ///< as many; empty: all 1
  double minimum = 0;
};

struct Schedule {
  double base = 1e-4;
  std::variant<ConstantRate, MultiStepRate, CosineRate> course = {};
  /// In the first iterations the rate rises linearly: iteration i < warm_up - 1 has base (i + 1) / warm_up,
  /// whatever the course. (After that, BasicSR's MultiStepRestartLR stays at the warm-up's last rate, short
  /// of the base rate by one part in `warm_up`. That slip isn't repeated here.)
  int64_t warm_up = 0;

  /// Throws Error where milestones descend, a period isn't positive, weights and periods differ in number, or
  /// a number is negative.
  void check() const;
  double rate(int64_t iteration) const;
};

}  // namespace sr
