#pragma once
// Checkpoints of a training run: all it takes to go on as if nothing had happened, in one file that is whole
// or absent.
//
// RUN/checkpoints/0001000.safetensors holds the state after iteration 1000: tensors under "generator.",
// "ema.", "discriminator.", "optimiser.generator.exp_avg." ...; in its header the iteration and the digest of
// the settings that the state belongs to. Everything random is a function of seed and iteration, so there are
// no random states to keep.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/files.h"
#include "weights/state_dict.h"

namespace sr {

struct TrainingState {
  std::int64_t iteration = 0;  ///< how many are done
  std::string settings;        ///< what the state belongs to, as text
  StateDict tensors;
};

/// Writes RUN/checkpoints/ITERATION.safetensors and then removes all but the last `keep`. Throws Error.
fs::path write_training_state(const fs::path& run, const TrainingState& state, int keep);

/// The newest checkpoint of the run, if there is one.
std::optional<fs::path> newest_checkpoint(const fs::path& run);

/// Throws Error where the file is no checkpoint of a run.
TrainingState read_training_state(const fs::path& file);

/// The tensors under `prefix`, without it: `part_of(state, "generator.")`.
StateDict part_of(const StateDict& tensors, const std::string& prefix);
/// Adds `part` under `prefix`.
void add_part(StateDict& tensors, const std::string& prefix, const StateDict& part);

}  // namespace sr
