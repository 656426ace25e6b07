#pragma once
// What a program says of itself whatever the machine and the moment, for the launcher (tools/launcher.cpp),
// which says it without loading what the program needs for its work.

#include <string>

#include "cli/option_table.h"
#include "cli/program.h"

namespace sr {

/// C++ source: an initialiser {arguments, text} a line for --help, -h, --version, --print-man and
/// --print-completion, of the commands too. Arguments are parted by NUL.
std::string answers_source(const ProgramInfo& info, const OptionTable& options);

}  // namespace sr
