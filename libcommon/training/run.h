#pragma once
// A training run from start, or from where it was stopped, to its end.
//
// RUN/ holds config.toml (the settings, resolved), log.ndjson (see run_log.h), checkpoints/ (see
// checkpoint.h) and samples/ITERATION/ of each validation.

#include <optional>

#include "core/log.h"
#include "core/progress.h"
#include "training/trainer.h"

namespace sr {

struct RunOptions {
  fs::path folder;
  bool resume = false;  ///< go on from the newest checkpoint, if there is one
  Arithmetic arithmetic;
  ProgressMode progress = ProgressMode::automatic;
  ProcessGroup* group = nullptr;  ///< of several processes, of which rank 0 writes; null: alone
};

/// Trains to the last iteration and returns the trainer. A signal ends it with a checkpoint of the last whole
/// iteration (Interrupted); a loss that is no number with an Error that names the last good checkpoint. The
/// parameters after N iterations are the same to the bit (float32 on the CPU, as many threads) however often
/// the run was stopped and resumed. `settings` is the text that `config` was read from. Throws UsageError
/// where the folder holds a run and `resume` is not asked for.
std::unique_ptr<Trainer> run_training(const TrainConfig& config, const std::string& settings,
                                      const RunOptions& options, const TrainingWeights& weights, Log& log);

}  // namespace sr
