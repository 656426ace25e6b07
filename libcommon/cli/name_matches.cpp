#include "cli/name_matches.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "core/files.h"

namespace sr {
namespace {

/// What is compared of a name, from the strictest way to the loosest.
std::array<std::string, 3> keys_of(const std::string& name) {
  const auto base = name.substr(name.find_last_of('/') + 1);
  return {name, base, fs::path(base).stem().string()};
}

/// Names whose place is one of several, or taken by several, lose it.
void drop_ambiguous(NameMatches& matches, const std::vector<std::string>& names,
                    const std::set<std::size_t>& several, std::size_t known) {
  std::vector<int> claims(known);
  for (const auto& place : matches.place) {
    if (place) ++claims[*place];
  }
  for (std::size_t n = 0; n < names.size(); ++n) {
    auto& place = matches.place[n];
    if (!place) {
      matches.missing.push_back(names[n]);
    } else if (several.contains(n) || claims[*place] > 1) {
      matches.ambiguous.push_back(names[n]);
      place.reset();
    }
  }
}

}  // namespace

void NameIndex::add(const std::string& name) {
  const auto keys = keys_of(name);
  for (std::size_t way = 0; way < keys.size(); ++way) ways_[way].emplace(keys[way], count_);
  ++count_;
}

std::vector<std::size_t> NameIndex::places(const std::string& name) const {
  const auto keys = keys_of(name);
  std::vector<std::size_t> found;
  for (std::size_t way = 0; way < keys.size() && found.empty(); ++way) {
    const auto [first, last] = ways_[way].equal_range(keys[way]);
    for (auto at = first; at != last; ++at) found.push_back(at->second);
  }
  return found;
}

std::vector<std::size_t> NameMatches::matched() const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < place.size(); ++i) {
    if (place[i]) found.push_back(i);
  }
  return found;
}

NameMatches match_names(const std::vector<std::string>& names, const std::vector<std::string>& known) {
  NameIndex index;
  for (const auto& name : known) index.add(name);
  NameMatches matches{std::vector<std::optional<std::size_t>>(names.size()), {}, {}};
  std::set<std::size_t> several;
  for (std::size_t n = 0; n < names.size(); ++n) {
    const auto places = index.places(names[n]);
    if (!places.empty()) matches.place[n] = places.front();
    if (places.size() > 1) several.insert(n);
  }
  drop_ambiguous(matches, names, several, known.size());
  return matches;
}

std::string few_of(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 3;
  std::vector<std::string> shown_names;
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i) shown_names.push_back(printable(names[i]));
  const auto text = fmt::format("{}", fmt::join(shown_names, ", "));
  return names.size() <= kShown ? text : fmt::format("{} and {} more", text, names.size() - kShown);
}

void tell_names(Log& log, const std::vector<std::string>& names, std::string_view what) {
  if (!names.empty()) log.warning(fmt::format("{} ({}): {}", what, names.size(), few_of(names)));
}

}  // namespace sr
