#include "cli/completions.h"

#include <algorithm>
#include <fmt/format.h>

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

std::string bash_script(const ProgramInfo& info, const std::vector<OptionRow>& options) {
  const auto function = "_" + replaced(info.name, "-", "_");
  std::string cases;
  std::vector<std::string> names;
  for (const auto& option : options) {
    if (!option.value.empty()) cases += bash_case(option);
    for (const auto& name : option.long_names) names.push_back("--" + name);
    for (const auto& name : option.short_names) names.push_back("-" + name);
  }
  return fmt::format(
      "# bash completion for {0}, made by `{0} --print-completion bash`\n"
      "{1}() {{\n"
      "  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}\n"
      "  COMPREPLY=()\n"
      "  case $prev in\n{2}  esac\n"
      "  if [[ $cur == -* ]]; then\n"
      "    COMPREPLY=($(compgen -W '{3}' -- \"$cur\"))\n"
      "  else\n"
      "    compopt -o default\n"
      "  fi\n"
      "}}\n"
      "complete -F {1} {0}\n",
      info.name, function, cases, joined(names, " "));
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

std::string zsh_script(const ProgramInfo& info, const std::vector<OptionRow>& options) {
  std::string lines;
  for (const auto& option : options) lines += zsh_lines(option);
  return fmt::format(
      "#compdef {0}\n# zsh completion for {0}, made by `{0} --print-completion zsh`\n"
      "_arguments -s -S \\\n{1}  '*:file:_files'\n",
      info.name, lines);
}

std::string fish_line(const ProgramInfo& info, const OptionRow& option) {
  auto line = fmt::format("complete -c {}", info.name);
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
  for (const auto& option : options) script += fish_line(info, option);
  return script;
}

}  // namespace

std::string completion_script(const ProgramInfo& info, const OptionTable& options, const std::string& shell) {
  const auto rows = all_rows(options);
  if (shell == "zsh") return zsh_script(info, rows);
  return shell == "fish" ? fish_script(info, rows) : bash_script(info, rows);
}

}  // namespace sr
