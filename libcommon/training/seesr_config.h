#pragma once
// The settings of SeeSR's training, as the preset (share/presets/train-seesr.toml) writes them.

#include <string>

#include "training/run_config.h"

namespace sr {

struct SeesrConfig : RunConfig {
  std::string sd = "stable-diffusion-2-base";  ///< Stable Diffusion's folder, in diffusers' layout
  /// A folder of SeeSR's `unet` and `controlnet` to begin with; empty: Stable Diffusion's U-Net.
  std::string start;
  std::string ram = "ram",
              dape = "dape";     ///< checkpoints, or their names in the catalogue; no DAPE: RAM alone
  double null_text_ratio = 0.5;  ///< of samples whose caption becomes ""
  fs::path cache;                ///< a folder of what the frozen networks say, see SeesrFrozen; empty: none
  OptimiserConfig optimiser;
  double ema = 0;  ///< decay of the averages of what is trained; 0: none
  ValidationConfig validation;
  std::int64_t validation_steps = 10;  ///< of the sampler, a picture
  bool checkpointing = false;          ///< layers are reckoned again in the backward pass

  /// Whether captions come with the pictures. Else RAM makes them.
  bool captioned() const { return !data.sources.empty() && !data.sources.front().tags.empty(); }
};

/// True where the settings are SeeSR's: they have a table [seesr].
bool is_seesr_config(const TomlValue& table);

/// `table` is the whole of the settings. Throws UsageError that names the line of what is wrong.
SeesrConfig read_seesr_config(const TomlValue& table);

}  // namespace sr
