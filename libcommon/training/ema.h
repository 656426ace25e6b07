#pragma once
// The exponential moving average of a network's parameters, which is what is shipped. Source: BasicSR
// basicsr/models/base_model.py model_ema (@8d56e3a): parameters, not buffers.

#include "training/parameters.h"
#include "weights/state_dict.h"

namespace sr {

class Ema {
 public:
  /// Begins with the parameters as they are. Throws Error unless 0 <= decay < 1.
  Ema(NamedParameters of, double decay);

  /// average = decay average + (1 - decay) parameter. What Adam::step was given this average for has been
  /// done there.
  void update();
  double decay() const { return decay_; }
  /// The average of a parameter; undefined for a name that it hasn't.
  Tensor find(const std::string& name) const;

  /// By the parameters' names. The tensors are the average itself, no copies.
  const StateDict& state() const { return averages_; }
  /// Takes the values of such a state. Throws Error where names or shapes differ; nothing is changed then.
  void load_state(const StateDict& state);

 private:
  NamedParameters parameters_;
  double decay_;
  StateDict averages_;
};

}  // namespace sr
