#pragma once
// The man page.

#include <string>

#include "cli/option_table.h"
#include "cli/program.h"

namespace sr {

/// mdoc(7) source.
std::string man_page(const ProgramInfo& info, const OptionTable& options);

}  // namespace sr
