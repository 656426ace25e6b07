#pragma once
// The settings of DAPE's training, as the preset (share/presets/train-dape.toml) writes them.

#include <string>

#include "nets/ram.h"
#include "training/dape_loss.h"
#include "training/run_config.h"

namespace sr {

struct DapeConfig : RunConfig {
  std::string ram = "ram";  ///< a checkpoint, or its name in the catalogue: the teacher
  std::int64_t rank = 8;    ///< of LoRA
  RamDropRates drops;       ///< of the student, while it learns
  DapeLoss loss;
  OptimiserConfig optimiser;
};

/// True where the settings are DAPE's: they have a table [dape].
bool is_dape_config(const TomlValue& table);

/// `table` is the whole of the settings. Throws UsageError that names the line of what is wrong.
DapeConfig read_dape_config(const TomlValue& table);

}  // namespace sr
