#pragma once
// What shells offer for values that several programs take.

#include <string>
#include <vector>

#include "cli/option_table.h"

namespace sr {

/// Checkpoint files, these names, and those of the catalogue that are of this use ("network").
Offer models_of(const std::string& use, std::vector<std::string> more = {});

/// The presets KIND-NAME.toml, and settings files.
Offer presets_of(const std::string& kind);

/// These alone.
Offer choice_of(std::vector<std::string> names);

/// Names of a list as programs' help has it, "niqe, musiq", of which several can be given.
Offer several_of(const std::string& list);

}  // namespace sr
