#include "cli/completions.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace sr {
namespace {

std::vector<OptionRow> all_rows(const OptionTable& options) {
  std::vector<OptionRow> rows;
  for (const auto& group : options) rows.insert(rows.end(), group.options.begin(), group.options.end());
  return rows;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
  return text;
}

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
  return fmt::format("{}", fmt::join(words, separator));
}

std::vector<std::string> dashed_names(const OptionRow& option) {
  std::vector<std::string> names;
  for (const auto& name : option.short_names) names.push_back("-" + name);
  for (const auto& name : option.long_names) names.push_back("--" + name);
  return names;
}

bool takes_folder(const OptionRow& option) { return option.value == "DIR"; }

std::string bash_case(const OptionRow& option) {
  const auto pattern = joined(dashed_names(option), "|");
  if (!option.choices.empty()) {
    return fmt::format("    {}) COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return ;;\n", pattern,
                       joined(option.choices, " "));
  }
  if (takes_folder(option)) return fmt::format("    {}) compopt -o dirnames; return ;;\n", pattern);
  return fmt::format("    {}) compopt -o default; return ;;\n", pattern);
}

std::string shell_function(const std::string& name) {
  return "_" + replaced(replaced(name, "-", "_"), " ", "_");
}

std::vector<std::string> command_names(const ProgramInfo& info) {
  std::vector<std::string> names;
  for (const auto& command : info.subcommands) names.push_back(command.name);
  return names;
}

/// A function that completes these options, and what stands first in it and before files.
std::string bash_function(const std::string& function, const std::vector<OptionRow>& options,
                          const std::string& first, const std::string& words) {
  std::string cases;
  std::vector<std::string> names;
  for (const auto& option : options) {
    if (!option.value.empty()) cases += bash_case(option);
    for (const auto& name : option.long_names) names.push_back("--" + name);
    for (const auto& name : option.short_names) names.push_back("-" + name);
  }
  return fmt::format(
      "{0}() {{\n"
      "  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}\n"
      "  COMPREPLY=()\n{1}"
      "  case $prev in\n{2}  esac\n"
      "  if [[ $cur == -* ]]; then\n"
      "    COMPREPLY=($(compgen -W '{3}' -- \"$cur\"))\n"
      "  else\n{4}"
      "    compopt -o default\n"
      "  fi\n"
      "}}\n",
      function, first, cases, joined(names, " "), words);
}

std::string bash_script(const ProgramInfo& info, const std::vector<OptionRow>& options) {
  const auto function = shell_function(info.name);
  std::string commands, dispatch, words;
  for (const auto& command : info.subcommands) {
    const auto inner = shell_function(info.name + ' ' + command.name);
    commands += bash_function(inner, all_rows(command.options), "", "");
    dispatch += fmt::format("      {}) {}; return ;;\n", command.name, inner);
  }
  if (!dispatch.empty()) {
    dispatch = fmt::format(
        "  if ((COMP_CWORD > 1)); then\n    case ${{COMP_WORDS[1]}} in\n{}    esac\n  fi\n", dispatch);
    words = fmt::format("    ((COMP_CWORD == 1)) && COMPREPLY=($(compgen -W '{}' -- \"$cur\"))\n",
                        joined(command_names(info), " "));
  }
  return fmt::format("# bash completion for {0}, made by `{0} --print-completion bash`\n", info.name) +
         commands + bash_function(function, options, dispatch, words) +
         fmt::format("complete -F {} {}\n", function, info.name);
}

std::string zsh_value(const OptionRow& option) {
  if (option.value.empty()) return "";
  const auto label = replaced(option.value, ":", "\\:");
  if (!option.choices.empty()) return fmt::format(":{}:({})", label, joined(option.choices, " "));
  return fmt::format(":{}:{}", label, takes_folder(option) ? "_files -/" : "_files");
}

std::string zsh_lines(const OptionRow& option) {
  auto text = replaced(option.description, "'", "'\\''");
  text = replaced(replaced(replaced(text, "[", "\\["), "]", "\\]"), ":", "\\:");
  const auto names = dashed_names(option);
  const auto exclude = names.size() > 1 ? fmt::format("({})", joined(names, " ")) : "";
  std::string lines;
  for (const auto& name : names) {
    lines += fmt::format("  '{}{}[{}]{}' \\\n", exclude, name, text, zsh_value(option));
  }
  return lines;
}

std::string zsh_arguments(const std::vector<OptionRow>& options) {
  std::string lines = "_arguments -s -S \\\n";
  for (const auto& option : options) lines += zsh_lines(option);
  return lines;
}

/// Command by command, told by the first word.
std::string zsh_commands(const ProgramInfo& info) {
  if (info.subcommands.empty()) return {};
  std::string cases;
  for (const auto& command : info.subcommands) {
    cases += fmt::format("{})\n  shift words; ((CURRENT--))\n  {}  '*:file:_files'\n  return ;;\n",
                         command.name, zsh_arguments(all_rows(command.options)));
  }
  return fmt::format("if ((CURRENT > 2)); then\ncase $words[2] in\n{}esac\nfi\n", cases);
}

std::string zsh_script(const ProgramInfo& info, const std::vector<OptionRow>& options) {
  const auto first =
      info.subcommands.empty()
          ? ""
          : fmt::format("  '1: :{{_alternative \"commands:command:({})\" \"files:file:_files\"}}' \\\n",
                        joined(command_names(info), " "));
  return fmt::format("#compdef {0}\n# zsh completion for {0}, made by `{0} --print-completion zsh`\n",
                     info.name) +
         zsh_commands(info) + zsh_arguments(options) + first + "  '*:file:_files'\n";
}

/// `condition`: of fish, with its -n, or empty.
std::string fish_line(const ProgramInfo& info, const OptionRow& option, const std::string& condition) {
  auto line = fmt::format("complete -c {}{}", info.name, condition);
  for (const auto& name : option.short_names) line += fmt::format(" -s {}", name);
  for (const auto& name : option.long_names) line += fmt::format(" -l {}", name);
  if (!option.choices.empty()) {
    line += fmt::format(" -x -a '{}'", joined(option.choices, " "));
  } else if (takes_folder(option)) {
    line += " -x -a '(__fish_complete_directories)'";
  } else if (!option.value.empty()) {
    line += " -r";
  }
  return line + fmt::format(" -d '{}'\n", replaced(replaced(option.description, "\\", "\\\\"), "'", "\\'"));
}

std::string fish_script(const ProgramInfo& info, const std::vector<OptionRow>& options) {
  auto script = fmt::format("# fish completion for {0}, made by `{0} --print-completion fish`\n", info.name);
  std::string outside;
  if (!info.subcommands.empty())
    outside = fmt::format(" -n 'not __fish_seen_subcommand_from {}'", joined(command_names(info), " "));
  for (const auto& command : info.subcommands) {
    script += fmt::format("complete -c {} -n __fish_use_subcommand -a {} -d '{}'\n", info.name, command.name,
                          replaced(command.summary, "'", "\\'"));
  }
  for (const auto& option : options) script += fish_line(info, option, outside);
  for (const auto& command : info.subcommands) {
    const auto inside = fmt::format(" -n '__fish_seen_subcommand_from {}'", command.name);
    for (const auto& option : all_rows(command.options)) script += fish_line(info, option, inside);
  }
  return script;
}

}  // namespace

std::string completion_script(const ProgramInfo& info, const OptionTable& options, const std::string& shell) {
  const auto rows = all_rows(options);
  if (shell == "zsh") return zsh_script(info, rows);
  return shell == "fish" ? fish_script(info, rows) : bash_script(info, rows);
}

}  // namespace sr
