#pragma once
// What the tests of all trainers ask.

#include <cstdint>
#include <functional>

#include "nets_testing.h"
#include "training/trainable.h"

namespace sr::testing {

inline StateDict copied(const StateDict& tensors) {
  StateDict copies;
  for (const auto& [name, tensor] : tensors) copies[name] = tensor.detach().clone();
  return copies;
}

/// The first three pictures, as a rank may have them, which two parts can't share out evenly.
inline TrainingBatch three_of(TrainingBatch batch) {
  batch.lr = batch.lr.narrow(0, 0, 3);
  batch.hr = batch.hr.narrow(0, 0, 3);
  return batch;
}

using BatchOf = std::function<TrainingBatch(std::int64_t iteration)>;

inline void train(Trainable& trainer, std::int64_t from, std::int64_t to, const BatchOf& batch_of) {
  for (auto i = from; i < to; i++) trainer.step(i, batch_of(i));
}

/// Of three new trainers: six iterations in one go leave the state that three do and, taken up from there by
/// another trainer, three more.
inline void check_goes_on(Trainable& whole, Trainable& first, Trainable& second, const BatchOf& batch_of) {
  train(whole, 0, 6, batch_of);
  train(first, 0, 3, batch_of);
  second.load_state(copied(first.state()));
  train(second, 3, 6, batch_of);
  const auto expected = whole.state(), state = second.state();
  CHECK(state.size() == expected.size());
  for (const auto& [key, tensor] : expected) {
    CAPTURE(key);
    CHECK(tensor.equal(state.at(key)));
  }
}

}  // namespace sr::testing
