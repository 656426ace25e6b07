#pragma once
// From the options of programs that run networks to weights and an engine.

#include <string>

#include "cli/options.h"
#include "infer/engine.h"
#include "weights/state_dict.h"

namespace sr {

/// Throws UsageError.
EngineOptions engine_options(const ComputeOptions& options);

/// The weights that the options ask for, mixed with the twin's where --denoise is below 1. Throws Error, or
/// UsageError where a file is missing.
StateDict load_model(const ModelOptions& options);

}  // namespace sr
