#include "cli/help.h"

#include <fmt/format.h>
#include <sstream>

#include "core/version.h"

namespace sr {
namespace {

constexpr size_t kLabelWidth = 30, kWidth = 100;

std::string option_text(const OptionRow& option) {
  const bool aligned = !option.short_names.empty();
  const auto label = fmt::format("  {}{}", aligned ? "" : "    ", option_label(option));
  const auto text = wrapped(option.description, kLabelWidth, kWidth);
  if (label.size() + 2 > kLabelWidth) return label + "\n" + text;
  return label + text.substr(label.size());
}

}  // namespace

std::string wrapped(const std::string& text, size_t indent, size_t width) {
  std::istringstream words(text);
  const std::string margin(indent, ' ');
  std::string result, line = margin;
  for (std::string word; words >> word;) {
    if (line.size() > indent && line.size() + 1 + word.size() > width) {
      result += line + "\n";
      line = margin;
    }
    line += (line.size() > indent ? " " : "") + word;
  }
  return result + line + "\n";
}

std::string version_line(const ProgramInfo& info) {
  return fmt::format("{} (sr-tools) {}\n", info.name, kVersion);
}

std::string help_text(const ProgramInfo& info, const OptionTable& options) {
  std::string text =
      fmt::format("{} - {}\n\nUsage: {} {}\n", info.name, info.summary, info.name, info.synopsis);
  if (!info.subcommands.empty()) text += "\nCommands:\n";
  for (const auto& command : info.subcommands) {
    const auto label = fmt::format("  {}", command.name());
    text += label + wrapped(command.info.summary, kLabelWidth, kWidth).substr(label.size());
  }
  for (const auto& group : options) {
    text += fmt::format("\n{}:\n", group.title);
    for (const auto& option : group.options) text += option_text(option);
  }
  text += "\nExamples:\n";
  for (const auto& example : info.examples) text += fmt::format("  {}\n", example.command);
  return text + fmt::format("\nMore in {}(1).\n", info.page());
}

}  // namespace sr
