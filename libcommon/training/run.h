#pragma once
// A training run from start, or from where it was stopped, to its end.
//
// RUN/ holds config.toml (the settings, resolved), log.ndjson (see run_log.h), checkpoints/ (see
// checkpoint.h), and of each validation samples/ITERATION/ and samples/ITERATION.png (see validation.h).

#include <functional>
#include <string>

#include "core/log.h"
#include "core/progress.h"
#include "training/run_config.h"
#include "training/trainable.h"
#include "training/validation.h"

namespace sr {

struct RunOptions {
  fs::path folder;
  bool resume = false;  ///< go on from the newest checkpoint, if there is one
  ProgressMode progress = ProgressMode::automatic;
  ProcessGroup* group = nullptr;  ///< of several processes, of which rank 0 writes; null: alone

  std::int64_t validate_every = 0;  ///< iterations, and after the last one; 0: never. The same on all ranks
  /// Keeps pictures in the folder, and a sheet of them beside it. Rank 0 alone is asked.
  std::function<ValidationScores(const fs::path& samples)> validate;
};

/// Trains `trainer` to the last iteration; a validation that was interrupted comes first. A signal ends it
/// with a checkpoint of the last whole iteration (Interrupted); a loss that is no number with an Error that
/// names the last good checkpoint. The parameters after N iterations are the same to the bit (float32 on the
/// CPU, as many threads) however often the run was stopped and resumed. `settings` is the text that `config`
/// was read from. Throws UsageError where the folder holds a run and `resume` is not asked for.
void run_training(Trainable& trainer, const RunConfig& config, const std::string& settings,
                  const RunOptions& options, Log& log);

}  // namespace sr
