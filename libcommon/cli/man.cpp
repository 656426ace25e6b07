#include "cli/man.h"

#include <algorithm>
#include <fmt/format.h>
#include <sstream>

#include "core/version.h"

namespace sr {
namespace {

/// Text as roff takes it: no backslash or leading control character of its own, dashes that can be copied.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
  }
  const bool control = !result.empty() && (result[0] == '.' || result[0] == '\'');
  return control ? "\\&" + result : result;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

/// One sentence a line, as mandoc wants it.
std::string sentences(const std::string& text) {
  std::string result = escaped(text);
  for (size_t at = result.find(". "); at != std::string::npos; at = result.find(". ", at))
    result.replace(at, 2, ".\n");
  return result;
}

std::string paragraphs(const std::string& text) {
  std::string result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    result += line.empty() ? ".Pp\n" : sentences(line) + "\n";
  }
  return result;
}

std::string option_item(const OptionRow& option) {
  std::string label;
  for (const auto& name : option.short_names)
    label += fmt::format("{}Fl {}", label.empty() ? "" : " , ", escaped(name));
  for (const auto& name : option.long_names) {
    label += fmt::format("{}Fl Fl {}", label.empty() ? "" : " , ", escaped(name));
  }
  if (!option.value.empty()) label += fmt::format(" Ar {}", escaped(option.value));
  return fmt::format(".It {}\n{}.\n", label, sentences(option.description));
}

std::string commands_section(const ProgramInfo& info) {
  if (info.subcommands.empty()) return {};
  std::string text = ".Sh COMMANDS\n.Bl -tag -width Ds\n";
  for (const auto& command : info.subcommands) {
    text += fmt::format(".It Cm {}\n{}; see\n.Xr {}\\-{} 1 .\n", escaped(command.name()),
                        sentences(command.info.summary), escaped(info.name), escaped(command.name()));
  }
  return text + ".El\n";
}

std::string options_section(const OptionTable& options) {
  std::string text = ".Sh OPTIONS\n";
  for (const auto& group : options) {
    text += fmt::format(".Ss {}\n.Bl -tag -width Ds\n", escaped(group.title));
    for (const auto& option : group.options) text += option_item(option);
    text += ".El\n";
  }
  return text;
}

constexpr std::string_view kExitStatus =
    ".Sh EXIT STATUS\n.Bl -tag -width Ds\n"
    ".It 0\nEverything was done.\n"
    ".It 1\nSome input failed; each is named on standard error with its reason, the others are done.\n"
    ".It 2\nWrong usage, or nothing could start: a missing model, say.\n"
    ".It 128+N\nSignal N ended the program; no half\\-written file is left.\n.El\n";

constexpr std::string_view kEnvironment =
    ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n"
    ".It Ev SR_WEIGHTS\nA folder of model weights, searched after\n.Fl Fl weights .\n"
    ".It Ev XDG_DATA_HOME\nIts\n.Pa sr\\-tools/weights\nis searched next; the default is\n.Pa ~/.local/share "
    ".\n"
    ".It Ev NO_COLOR\nNo colours on standard error, if set and not empty.\n.El\n";

std::string examples_section(const ProgramInfo& info) {
  std::string text = ".Sh EXAMPLES\n";
  for (size_t i = 0; i < info.examples.size(); i++) {
    const auto& example = info.examples[i];
    text += fmt::format("{}{}\n.Bd -literal -offset indent\n{}\n.Ed\n", i == 0 ? "" : ".Pp\n",
                        sentences(example.text), escaped(example.command));
  }
  return text;
}

}  // namespace

std::string man_page(const ProgramInfo& info, const OptionTable& options) {
  return fmt::format(".Dd $Mdocdate$\n.Dt {} 1\n.Os sr\\-tools {}\n.Sh NAME\n.Nm {}\n.Nd {}\n",
                     upper(info.page()), kVersion, escaped(info.page()), escaped(info.summary)) +
         fmt::format(".Sh SYNOPSIS\n.Nm {}\n{}\n.Sh DESCRIPTION\n{}", escaped(info.name),
                     escaped(info.synopsis), paragraphs(info.description)) +
         commands_section(info) + options_section(options) + std::string(kEnvironment) +
         std::string(kExitStatus) + examples_section(info);
}

}  // namespace sr
