#include "nets/clip_tokenizer.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <zlib.h>

#include "core/error.h"
#include "nets/clip_text.h"

namespace sr {
namespace {

constexpr int64_t byte_count = 256, merge_count = 49152 - 256 - 2;
constexpr const char* word_end = "</w>";

std::uint64_t pair_key(int64_t first, int64_t second) {
  return static_cast<std::uint64_t>(first) << 32 | static_cast<std::uint64_t>(second);
}

/// The whole file, unpacked (or as it is, if it was never packed).
std::string read_gzip(const fs::path& path) {
  constexpr size_t most = size_t{1} << 26;
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) throw Error(fmt::format("{}: {}", path.string(), std::strerror(errno)));
  std::string text;
  std::array<char, 1 << 16> buffer;
  int got = 0;
  while ((got = gzread(file.get(), buffer.data(), buffer.size())) > 0 && text.size() < most) {
    text.append(buffer.data(), got);
  }
  if (got != 0) throw Error(fmt::format("{}: is no sound gzip file", path.string()));
  return text;
}

/// Takes the next line off `text`.
std::string_view next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

/// The two parts of a merge rule.
std::array<std::string, 2> parts_of(std::string_view rule) {
  const size_t space = std::min(rule.find(' '), rule.size());
  return {std::string(rule.substr(0, space)), std::string(rule.substr(std::min(space + 1, rule.size())))};
}

/// The merge rules, below the line that heads the file.
std::vector<std::array<std::string, 2>> read_rules(const fs::path& path) {
  const std::string text = read_gzip(path);
  std::string_view rest = text;
  next_line(rest);
  std::vector<std::array<std::string, 2>> rules;
  while (!rest.empty() && static_cast<int64_t>(rules.size()) < merge_count) {
    rules.push_back(parts_of(next_line(rest)));
  }
  if (static_cast<int64_t>(rules.size()) < merge_count) {
    throw Error(fmt::format("{}: is not CLIP's vocabulary: {} merge rules in place of {}", path.string(),
                            rules.size(), merge_count));
  }
  return rules;
}

/// The visible bytes, which the file writes as they are (as Latin-1 characters).
bool is_visible(int64_t byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

/// A character below U+0800 in UTF-8.
std::string spelling(int64_t character) {
  if (character < 0x80) return {static_cast<char>(character)};
  return {static_cast<char>(0xC0 | character >> 6), static_cast<char>(0x80 | (character & 0x3F))};
}

}  // namespace

/// Visible bytes are numbered first and spelt as they are; the others stand for the characters from U+0100
/// on.
ClipTokenizer::Spellings ClipTokenizer::spell_bytes() {
  Spellings spellings;
  byte_tokens_.resize(byte_count);
  for (const bool visible : {true, false}) {
    for (int64_t byte = 0, hidden = 0; byte < byte_count; ++byte) {
      if (is_visible(byte) != visible) continue;
      const auto token = static_cast<int64_t>(spellings.size()) / 2;
      const std::string text = spelling(visible ? byte : byte_count + hidden++);
      byte_tokens_[byte] = token;
      spellings[text] = token;
      spellings[text + word_end] = byte_count + token;
    }
  }
  return spellings;
}

ClipTokenizer::ClipTokenizer(const fs::path& vocabulary) {
  const auto rules = read_rules(vocabulary);
  Spellings spellings = spell_bytes();
  spellings.reserve(2 * byte_count + merge_count);
  for (size_t i = 0; i < rules.size(); ++i) {
    spellings[rules[i][0] + rules[i][1]] = 2 * byte_count + static_cast<int64_t>(i);
  }
  merges_.reserve(merge_count);
  for (size_t i = 0; i < rules.size(); ++i) {
    const auto first = spellings.find(rules[i][0]), second = spellings.find(rules[i][1]);
    if (first == spellings.end() || second == spellings.end()) {
      throw Error(fmt::format("{}: is not CLIP's vocabulary: merge rule {} joins what is no token",
                              vocabulary.string(), i + 1));
    }
    merges_[pair_key(first->second, second->second)] = {static_cast<int64_t>(i),
                                                        spellings.at(rules[i][0] + rules[i][1])};
  }
}

/// The pair that is to be joined next; its place in `merges_`.
ClipTokenizer::Merges::const_iterator ClipTokenizer::best_merge(const std::vector<int64_t>& symbols) const {
  auto best = merges_.end();
  for (size_t i = 0; i + 1 < symbols.size(); ++i) {
    const auto found = merges_.find(pair_key(symbols[i], symbols[i + 1]));
    if (found == merges_.end()) continue;
    if (best == merges_.end() || found->second.rank < best->second.rank) best = found;
  }
  return best;
}

void ClipTokenizer::encode_word(std::string_view word, std::vector<int64_t>& tokens) const {
  std::vector<int64_t> symbols;
  for (const char c : word) symbols.push_back(byte_tokens_[static_cast<unsigned char>(c)]);
  symbols.back() += byte_count;
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

std::vector<int64_t> ClipTokenizer::encode(std::string_view text) const {
  std::vector<int64_t> tokens;
  for (const std::string& word : prompt_words(cleaned_prompt(text))) {
    if (word == "<|startoftext|>") {
      tokens.push_back(start);
    } else if (word == "<|endoftext|>") {
      tokens.push_back(end);
    } else {
      encode_word(word, tokens);
    }
  }
  return tokens;
}

Tensor ClipTokenizer::tokenize(const std::vector<std::string>& texts, TooLong too_long) const {
  const auto count = static_cast<int64_t>(texts.size());
  const Tensor rows = at::zeros({count, context_length}, at::kLong);
  for (int64_t i = 0; i < count; ++i) {
    std::vector<int64_t> tokens = encode(texts[i]);
    const auto needed = static_cast<int64_t>(tokens.size()) + 2;
    if (needed > context_length && too_long == TooLong::fail) {
      throw Error(fmt::format("the prompt '{}' makes {} tokens; CLIP takes {}", printable(texts[i]), needed,
                              context_length));
    }
    tokens.resize(std::min(needed, context_length) - 2);
    int64_t* row = rows[i].data_ptr<int64_t>();
    *row = start;
    std::copy(tokens.begin(), tokens.end(), row + 1);
    row[1 + tokens.size()] = end;
  }
  return rows;
}

}  // namespace sr
