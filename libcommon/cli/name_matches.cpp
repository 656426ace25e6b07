#include "cli/name_matches.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>
#include <map>
#include <set>

#include "core/files.h"

namespace sr {
namespace {

using Key = std::function<std::string(const std::string&)>;
using Index = std::multimap<std::string, std::size_t>;

std::string base_name(const std::string& name) { return name.substr(name.find_last_of('/') + 1); }
std::string stem_of(const std::string& name) { return fs::path(base_name(name)).stem().string(); }

Index index_of(const std::vector<std::string>& known, const Key& key) {
  Index index;
  for (std::size_t i = 0; i < known.size(); ++i) index.emplace(key(known[i]), i);
  return index;
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

std::vector<std::size_t> NameMatches::matched() const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < place.size(); ++i) {
    if (place[i]) found.push_back(i);
  }
  return found;
}

NameMatches match_names(const std::vector<std::string>& names, const std::vector<std::string>& known) {
  const std::array<Key, 3> keys = {[](const std::string& name) { return name; }, base_name, stem_of};
  std::vector<Index> indices;
  for (const auto& key : keys) indices.push_back(index_of(known, key));
  NameMatches matches{std::vector<std::optional<std::size_t>>(names.size()), {}, {}};
  std::set<std::size_t> several;
  for (std::size_t n = 0; n < names.size(); ++n) {
    for (std::size_t k = 0; k < keys.size() && !matches.place[n]; ++k) {
      const auto [first, last] = indices[k].equal_range(keys[k](names[n]));
      if (first == last) continue;
      matches.place[n] = first->second;
      if (std::next(first) != last) several.insert(n);
    }
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
