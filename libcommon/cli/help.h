#pragma once
// `--help` and `--version`.

#include <string>

#include "cli/option_table.h"
#include "cli/program.h"

namespace sr {

/// What --version says.
std::string version_line(const ProgramInfo& info);

std::string help_text(const ProgramInfo& info, const OptionTable& options);

/// Breaks `text` between words into lines of at most `width`, each indented by `indent` spaces.
std::string wrapped(const std::string& text, size_t indent, size_t width);

}  // namespace sr
