#pragma once
// A program's options as a list, from which help, man page and completions are all made.

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace sr {

/// What shells offer for a value, beside what its label says of files and folders.
struct Offer {
  std::function<std::vector<std::string>()> names;  ///< asked when a completion script is made; or empty
  std::vector<std::string> extensions = {};         ///< of files: "toml"; none: any file
  bool several = false;                             ///< names are parted by commas
};

/// By the option's name, "--model".
using Offers = std::map<std::string, Offer>;

struct OptionRow {
  std::vector<std::string> short_names;  ///< without dashes
  std::vector<std::string> long_names;
  std::string value;                 ///< "FILE", "N", "auto|always|never"; empty for a flag
  std::vector<std::string> choices;  ///< where the value is one of a few
  std::string description;
  Offer offer;
};

struct OptionGroup {
  std::string title;
  std::vector<OptionRow> options;
};

using OptionTable = std::vector<OptionGroup>;

/// The options in the order in which they were declared, by group; positionals and hidden ones left out.
OptionTable option_table(const CLI::App& app, const Offers& offers);

/// "-o, --output FILE".
std::string option_label(const OptionRow& option);

}  // namespace sr
