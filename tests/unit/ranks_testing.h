#pragma once
// What an environment of given variables says of a process among several.

#include <map>
#include <optional>
#include <string>

#include "training/ranks.h"

namespace sr {

inline Ranks ranks_with(const std::map<std::string, std::string>& variables) {
  return ranks_of([&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return {};
    return found->second;
  });
}

}  // namespace sr
