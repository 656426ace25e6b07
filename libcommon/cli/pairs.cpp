#include "cli/pairs.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "core/records.h"

namespace sr {
namespace {

std::vector<Input> files_below(const std::string& folder, bool recursive, Log& log) {
  InputOptions options;
  options.names = {folder};
  options.recursive = recursive;
  return find_inputs(options, log).files;
}

fs::path without_extension(fs::path path) { return path.replace_extension(); }

/// Pairs up those whose keys are equal, and takes them off both lists.
void match_by(const std::function<fs::path(const Input&)>& key, std::vector<Input>& a, std::vector<Input>& b,
              std::vector<Pair>& pairs) {
  std::multimap<fs::path, Input> others;
  for (auto& input : b) others.emplace(key(input), std::move(input));
  std::vector<Input> left;
  for (auto& input : a) {
    const auto partner = others.find(key(input));
    if (partner == others.end()) {
      left.push_back(std::move(input));
      continue;
    }
    pairs.push_back({input.relative.string(), input.path, partner->second.path});
    others.erase(partner);
  }
  a = std::move(left);
  b.clear();
  for (auto& [path, input] : others) b.push_back(std::move(input));
}

}  // namespace

Pairs pair_sides(const std::string& a, const std::string& b, bool recursive, Log& log) {
  for (const auto& side : {a, b}) {
    if (!is_stream(side)) require_exists(side);
  }
  const bool folders = is_folder(a);
  if (folders != is_folder(b)) throw UsageError("compare two files or two folders, not a file with a folder");
  if (a == "-" && b == "-") throw UsageError("only one side can be standard input");
  if (!folders) return {{{a == "-" ? b : a, a, b}}, {}};
  auto left = files_below(a, recursive, log), right = files_below(b, recursive, log);
  Pairs result;
  match_by([](const Input& input) { return input.relative; }, left, right, result.pairs);
  match_by([](const Input& input) { return without_extension(input.relative); }, left, right, result.pairs);
  std::sort(result.pairs.begin(), result.pairs.end(),
            [](const Pair& x, const Pair& y) { return x.name < y.name; });
  for (const auto* side : {&left, &right}) {
    const auto& other = side == &left ? b : a;
    for (const auto& input : *side) {
      result.unmatched.push_back(
          fmt::format("{}: no partner in {}", printable(input.path.string()), printable(other)));
    }
  }
  return result;
}

Pairs read_pairs(const std::string& file) {
  const auto text = read_named_file(file);
  Pairs result;
  size_t number = 0;
  for (const auto& line : split(text, '\n')) {
    number++;
    if (line.empty() || is_comment(line)) continue;
    const auto fields = tsv_fields(line);
    if (fields.size() < 2)
      throw UsageError(fmt::format("{}:{}: not two names parted by a tab", file, number));
    result.pairs.push_back({fields[0], fields[0], fields[1]});
  }
  return result;
}

}  // namespace sr
