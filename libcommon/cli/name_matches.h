#pragma once
// Names of pictures in one list, matched with those in another: scores with opinions, tags with labels.

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/log.h"

namespace sr {

/// Finds names in a list: by the whole name, else by the name below the last slash, else by that without its
/// extension.
class NameIndex {
 public:
  /// The next of the list.
  void add(const std::string& name);
  /// The places of all that fit in the first way in which any does.
  std::vector<std::size_t> places(const std::string& name) const;

 private:
  std::array<std::multimap<std::string, std::size_t>, 3> ways_;
  std::size_t count_ = 0;
};

struct NameMatches {
  std::vector<std::optional<std::size_t>> place;  ///< of every name, in the other list
  std::vector<std::string> missing, ambiguous;    ///< names without one

  /// The names that have a place, by their indices.
  std::vector<std::size_t> matched() const;
};

/// Each of `names` in `known`. Where that has several of them, or several names would share one, they are
/// ambiguous.
NameMatches match_names(const std::vector<std::string>& names, const std::vector<std::string>& known);

/// "a, b, c and 7 more".
std::string few_of(const std::vector<std::string>& names);

/// A warning, where there are any: "`what` (10): a, b, c and 7 more".
void tell_names(Log& log, const std::vector<std::string>& names, std::string_view what);

}  // namespace sr
