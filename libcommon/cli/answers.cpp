#include "cli/answers.h"

#include <fmt/format.h>

#include "cli/completions.h"
#include "cli/help.h"
#include "cli/man.h"

namespace sr {
namespace {

constexpr auto* kNul = "\\000";  // in source

/// Text as it is: the delimiter after a bracket and before a quote is in none of ours.
std::string answer(const std::string& arguments, const std::string& text) {
  return fmt::format("{{\"{}\"sv, R\"answer({})answer\"sv}},\n", arguments, text);
}

/// `before`: the command's name and a NUL, or empty.
std::string common_answers(const std::string& before, const ProgramInfo& info, const OptionTable& options) {
  const auto help = help_text(info, options);
  return answer(before + "--help", help) + answer(before + "-h", help) +
         answer(before + "--version", version_line(info)) +
         answer(before + "--print-man", man_page(info, options));
}

}  // namespace

std::string answers_source(const ProgramInfo& info, const OptionTable& options) {
  auto source = common_answers("", info, options);
  for (const auto* shell : {"bash", "zsh", "fish"})
    source +=
        answer(std::string("--print-completion") + kNul + shell, completion_script(info, options, shell));
  for (const auto& command : info.subcommands)
    source += common_answers(command.name() + kNul, command.info, command.options);
  return source;
}

}  // namespace sr
