#pragma once
// Which picture is compared with which.

#include <string>
#include <vector>

#include "cli/inputs.h"

namespace sr {

struct Pair {
  std::string name;  ///< in the results
  fs::path a, b;
};

struct Pairs {
  std::vector<Pair> pairs;
  std::vector<std::string> unmatched;  ///< a sentence for each file without a partner
};

/// Two files, or two folders, whose files are matched by their place below the folder: with extension, then
/// without. Throws UsageError for a file against a folder, or a missing side.
Pairs pair_sides(const std::string& a, const std::string& b, bool recursive, Log& log);

/// Lines of two tab-separated names, and comments (is_comment). Throws UsageError that gives the number of a
/// bad line.
Pairs read_pairs(const std::string& file);

}  // namespace sr
