#include "nets/byte_pairs.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "nets/unicode.h"

namespace sr {
namespace {

std::uint64_t pair_key(int64_t first, int64_t second) {
  return static_cast<std::uint64_t>(first) << 32 | static_cast<std::uint64_t>(second);
}

/// Takes the next line off `text`, and leaves out its end.
std::string_view next_line(std::string_view& text) {
  std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

MergeRule parts_of(std::string_view rule) {
  const size_t space = std::min(rule.find(' '), rule.size());
  return {std::string(rule.substr(0, space)), std::string(rule.substr(std::min(space + 1, rule.size())))};
}

bool is_visible(size_t byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

}  // namespace

std::array<std::string, 256> byte_spellings() {
  std::array<std::string, 256> spellings;
  char32_t hidden = 0x100;
  for (size_t byte = 0; byte < spellings.size(); ++byte) {
    const char32_t character = is_visible(byte) ? static_cast<char32_t>(byte) : hidden++;
    spellings[byte] = utf8({&character, 1});
  }
  return spellings;
}

std::vector<MergeRule> merge_rules(std::string_view text, size_t count) {
  next_line(text);
  std::vector<MergeRule> rules;
  while (!text.empty() && rules.size() < count) rules.push_back(parts_of(next_line(text)));
  return rules;
}

BytePairs::BytePairs(const Spellings& spellings, const std::vector<MergeRule>& rules,
                     const std::string& source) {
  const auto bytes = byte_spellings();
  for (size_t byte = 0; byte < bytes.size(); ++byte) {
    within_words_[byte] = spellings.at(bytes[byte]);
    at_ends_[byte] = spellings.at(bytes[byte] + kWordEnd);
  }
  merges_.reserve(rules.size());
  for (size_t i = 0; i < rules.size(); ++i) {
    const auto [first, second] = std::array{spellings.find(rules[i][0]), spellings.find(rules[i][1])};
    const auto joined = spellings.find(rules[i][0] + rules[i][1]);
    if (first == spellings.end() || second == spellings.end() || joined == spellings.end())
      throw Error(fmt::format("{}: merge rule {} joins or makes what is no token", source, i + 1));
    merges_[pair_key(first->second, second->second)] = {i, joined->second};
  }
}

/// The pair that is to be joined next; its place in `merges_`.
BytePairs::Merges::const_iterator BytePairs::best_merge(const std::vector<int64_t>& symbols) const {
  auto best = merges_.end();
  for (size_t i = 0; i + 1 < symbols.size(); ++i) {
    const auto found = merges_.find(pair_key(symbols[i], symbols[i + 1]));
    if (found == merges_.end()) continue;
    if (best == merges_.end() || found->second.rank < best->second.rank) best = found;
  }
  return best;
}

void BytePairs::encode(std::string_view word, std::vector<int64_t>& tokens) const {
  std::vector<int64_t> symbols;
  for (const char c : word) symbols.push_back(within_words_[static_cast<unsigned char>(c)]);
  symbols.back() = at_ends_[static_cast<unsigned char>(word.back())];
  for (auto merge = best_merge(symbols); merge != merges_.end(); merge = best_merge(symbols)) {
    size_t kept = 0;
    for (size_t i = 0; i < symbols.size(); ++i) {
      const bool joins = i + 1 < symbols.size() && pair_key(symbols[i], symbols[i + 1]) == merge->first;
      symbols[kept++] = joins ? merge->second.token : symbols[i];
      if (joins) ++i;
    }
    symbols.resize(kept);
  }
  tokens.insert(tokens.end(), symbols.begin(), symbols.end());
}

}  // namespace sr
