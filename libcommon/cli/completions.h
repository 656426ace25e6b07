#pragma once
// Shell completions.

#include <string>

#include "cli/option_table.h"
#include "cli/program.h"

namespace sr {

/// The completion script for "bash", "zsh" or "fish".
std::string completion_script(const ProgramInfo& info, const OptionTable& options, const std::string& shell);

}  // namespace sr
