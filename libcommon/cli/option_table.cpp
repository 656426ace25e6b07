#include "cli/option_table.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "core/files.h"

namespace sr {
namespace {

/// "FILE.html" says which files.
Offer offer_of_label(const std::string& value) {
  constexpr std::string_view file = "FILE.";
  return value.starts_with(file) ? Offer{{}, {value.substr(file.size())}} : Offer{};
}

OptionRow row_of(const CLI::Option& option, const Offers& offers) {
  OptionRow row{option.get_snames(), option.get_lnames(), "", {}, option.get_description(), {}};
  // CLI11 appends what its checks say, after a colon
  if (option.get_type_size_max() > 0)
    row.value = option.get_type_name().substr(0, option.get_type_name().find(':'));
  // words in capitals stand for something else
  const bool literal = std::none_of(row.value.begin(), row.value.end(),
                                    [](unsigned char c) { return std::isupper(c) || c == '=' || c == '['; });
  if (literal && row.value.find('|') != std::string::npos) row.choices = split(row.value, '|');
  const auto offer = offers.find(option.get_name());
  row.offer = offer == offers.end() ? offer_of_label(row.value) : offer->second;
  return row;
}

}  // namespace

OptionTable option_table(const CLI::App& app, const Offers& offers) {
  OptionTable groups;
  for (const auto* option : app.get_options()) {
    if (option->get_positional() || option->get_group().empty()) continue;
    const auto at = std::find_if(groups.begin(), groups.end(),
                                 [&](const OptionGroup& g) { return g.title == option->get_group(); });
    auto& group = at == groups.end() ? groups.emplace_back(OptionGroup{option->get_group(), {}}) : *at;
    group.options.push_back(row_of(*option, offers));
  }
  // what every program has comes last
  std::stable_partition(groups.begin(), groups.end(),
                        [](const OptionGroup& g) { return g.title != "Common"; });
  return groups;
}

std::string option_label(const OptionRow& option) {
  std::string label;
  const auto add = [&](const std::string& name) { label += (label.empty() ? "" : ", ") + name; };
  for (const auto& name : option.short_names) add("-" + name);
  for (const auto& name : option.long_names) add("--" + name);
  return option.value.empty() ? label : label + " " + option.value;
}

}  // namespace sr
