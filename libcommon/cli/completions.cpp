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

bool labelled(const OptionRow& option, std::string_view part) {
  return option.value.find(part) != std::string::npos;
}

/// What can be said beside files and folders.
std::vector<std::string> words_of(const OptionRow& option) {
  return option.offer.names ? option.offer.names() : option.choices;
}

/// Of names alone there may be more than these, but no files.
bool takes_files(const OptionRow& option) {
  return labelled(option, "FILE") || (!labelled(option, "DIR") && words_of(option).empty());
}

bool takes_folders_only(const OptionRow& option) {
  return labelled(option, "DIR") && !labelled(option, "FILE");
}

/// Lists files and folders that may follow: words of a shell's command.
std::string bash_files(const OptionRow& option) {
  std::string text = " compgen -d -- \"$cur\";";
  for (const auto& extension : option.offer.extensions)
    text += fmt::format(" compgen -f -X '!*.{}' -- \"$cur\";", extension);
  return text;
}

std::string bash_case(const OptionRow& option) {
  const auto pattern = joined(dashed_names(option), "|");
  const auto words = joined(words_of(option), " ");
  if (option.offer.several) {
    return fmt::format(
        "    {}) COMPREPLY=($(compgen -P \"${{cur%\"${{cur##*,}}\"}}\" -W '{}' -- \"${{cur##*,}}\")); "
        "compopt -o nospace; return ;;\n",
        pattern, words);
  }
  if (!words.empty() && !takes_files(option) && !takes_folders_only(option))
    return fmt::format("    {}) COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return ;;\n", pattern, words);
  if (words.empty() && option.offer.extensions.empty())
    return fmt::format("    {}) compopt -o {}; return ;;\n", pattern,
                       takes_folders_only(option) ? "dirnames" : "default");
  // names that aren't there are completed as any file
  return fmt::format(
      "    {}) mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\";{}); compopt -o filenames -o default; "
      "return ;;\n",
      pattern, words, bash_files(option));
}

std::string shell_function(const std::string& name) {
  return "_" + replaced(replaced(name, "-", "_"), " ", "_");
}

std::vector<std::string> command_names(const ProgramInfo& info) {
  std::vector<std::string> names;
  for (const auto& command : info.subcommands) names.push_back(command.name());
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
      "  COMPREPLY=()\n"
      "  [[ \" ${{COMP_WORDS[*]:0:COMP_CWORD}} \" != *' -- '* ]] || {{ compopt -o default; return; }}\n"
      "  [[ $prev != = ]] || prev=${{COMP_WORDS[COMP_CWORD-2]}}\n"  // bash parts --name=value
      "  [[ $cur != = ]] || cur=\n{1}"
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
    const auto inner = shell_function(info.name + ' ' + command.name());
    commands += bash_function(inner, all_rows(command.options), "", "");
    dispatch += fmt::format("      {}) {}; return ;;\n", command.name(), inner);
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

std::string zsh_files(const OptionRow& option) {
  const auto& extensions = option.offer.extensions;
  if (extensions.empty()) return takes_folders_only(option) ? "_files -/" : "_files";
  // parentheses around one alone would be qualifiers
  if (extensions.size() == 1) return fmt::format("_files -g \"*.{}\"", extensions.front());
  return fmt::format("_files -g \"*.({})\"", joined(extensions, "|"));
}

/// What zsh does for the option's value.
std::string zsh_action(const OptionRow& option) {
  const auto words = joined(words_of(option), " ");
  if (option.offer.several) return fmt::format("{{_values -s , name {}}}", words);
  if (words.empty()) return zsh_files(option);
  if (!takes_files(option) && !takes_folders_only(option)) return fmt::format("({})", words);
  return fmt::format("{{_alternative \"names:name:({})\" \"files:file:{}\"}}", words,
                     replaced(zsh_files(option), "\"", "\\\""));
}

/// A field of an option's description, which are parted by colons.
std::string zsh_field(const std::string& text) { return replaced(text, ":", "\\:"); }

std::string zsh_value(const OptionRow& option) {
  if (option.value.empty()) return "";
  return fmt::format(":{}:{}", zsh_field(option.value), zsh_field(zsh_action(option)));
}

std::string zsh_lines(const OptionRow& option) {
  auto text = replaced(option.description, "'", "'\\''");
  text = zsh_field(replaced(replaced(text, "[", "\\["), "]", "\\]"));
  const auto names = dashed_names(option);
  const auto exclude = names.size() > 1 ? fmt::format("({})", joined(names, " ")) : "";
  std::string lines;
  for (const auto& name : names) {
    const auto equals = !option.value.empty() && name.starts_with("--") ? "=" : "";  // --name=value goes too
    lines += fmt::format("  '{}{}{}[{}]{}' \\\n", exclude, name, equals, text, zsh_value(option));
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
                         command.name(), zsh_arguments(all_rows(command.options)));
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

std::string fish_value(const OptionRow& option) {
  auto words = joined(words_of(option), " ");
  const auto add = [&](const std::string& more) { words += (words.empty() ? "" : " ") + more; };
  if (option.offer.several) return fmt::format(" -x -a '(__fish_append , {})'", words);
  if (takes_folders_only(option)) add("(__fish_complete_directories)");
  const auto& extensions = option.offer.extensions;
  for (const auto& extension : extensions) add(fmt::format("(__fish_complete_suffix .{})", extension));
  // files of these extensions come first; fish lists the others after them
  if (!extensions.empty()) return fmt::format(" -x -k -a '{}'", words);
  if (words.empty()) return " -r";
  return fmt::format(" {} -a '{}'", takes_files(option) ? "-r" : "-x", words);
}

/// `condition`: of fish, with its -n, or empty.
std::string fish_line(const ProgramInfo& info, const OptionRow& option, const std::string& condition) {
  auto line = fmt::format("complete -c {}{}", info.name, condition);
  for (const auto& name : option.short_names) line += fmt::format(" -s {}", name);
  for (const auto& name : option.long_names) line += fmt::format(" -l {}", name);
  if (!option.value.empty()) line += fish_value(option);
  return line + fmt::format(" -d '{}'\n", replaced(replaced(option.description, "\\", "\\\\"), "'", "\\'"));
}

std::string fish_script(const ProgramInfo& info, const std::vector<OptionRow>& options) {
  auto script = fmt::format("# fish completion for {0}, made by `{0} --print-completion fish`\n", info.name);
  std::string outside;
  if (!info.subcommands.empty())
    outside = fmt::format(" -n 'not __fish_seen_subcommand_from {}'", joined(command_names(info), " "));
  for (const auto& command : info.subcommands) {
    script += fmt::format("complete -c {} -n __fish_use_subcommand -a {} -d '{}'\n", info.name,
                          command.name(), replaced(command.info.summary, "'", "\\'"));
  }
  for (const auto& option : options) script += fish_line(info, option, outside);
  for (const auto& command : info.subcommands) {
    const auto inside = fmt::format(" -n '__fish_seen_subcommand_from {}'", command.name());
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
