#pragma once
// A program's options as a list, from which help, man page and completions are all made.

#include <string>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace sr {

struct OptionRow {
  std::vector<std::string> short_names;  ///< without dashes
  std::vector<std::string> long_names;
  std::string value;                 ///< "FILE", "N", "auto|always|never"; empty for a flag
  std::vector<std::string> choices;  ///< where the value is one of a few
  std::string description;
};

struct OptionGroup {
  std::string title;
  std::vector<OptionRow> options;
};

using OptionTable = std::vector<OptionGroup>;

/// A program's command that has options, help and a man page of its own.
struct Subcommand {
  std::string name;     ///< "correlate"
  std::string summary;  ///< one line, no full stop
  OptionTable options;
};

/// The options in the order in which they were declared, by group; positionals and hidden ones left out.
OptionTable option_table(const CLI::App& app);

/// "-o, --output FILE".
std::string option_label(const OptionRow& option);

}  // namespace sr
