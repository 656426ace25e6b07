#include "nets/clip_tokenizer.h"

#include <algorithm>
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

constexpr size_t kByteCount = 256, kMergeCount = 49152 - 256 - 2;

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

/// Numbers by spelling: bytes, those that end a word, what the rules make, each after the other.
BytePairs::Spellings numbered(const std::vector<MergeRule>& rules) {
  BytePairs::Spellings spellings;
  spellings.reserve(2 * kByteCount + rules.size());
  auto bytes = byte_spellings();
  std::ranges::sort(bytes);  // the visible ones first
  for (size_t i = 0; i < kByteCount; ++i) {
    spellings[bytes[i]] = static_cast<int64_t>(i);
    spellings[bytes[i] + kWordEnd] = static_cast<int64_t>(kByteCount + i);
  }
  for (size_t i = 0; i < rules.size(); ++i)
    spellings[rules[i][0] + rules[i][1]] = static_cast<int64_t>(2 * kByteCount + i);
  return spellings;
}

/// What errors begin with.
std::string misfit(const fs::path& path) { return path.string() + ": is not CLIP's vocabulary"; }

BytePairs read_pairs(const fs::path& path) {
  const auto rules = clip_merge_rules(path);
  return {numbered(rules), rules, misfit(path)};
}

}  // namespace

std::vector<MergeRule> clip_merge_rules(const fs::path& vocabulary) {
  auto rules = merge_rules(read_gzip(vocabulary), kMergeCount);
  if (rules.size() < kMergeCount) {
    throw Error(
        fmt::format("{}: {} merge rules in place of {}", misfit(vocabulary), rules.size(), kMergeCount));
  }
  return rules;
}

Tensor token_row(const std::vector<int64_t>& tokens, const TokenMarks& marks, int64_t length) {
  Tensor row = at::full({length}, marks.padding, at::kLong);
  const auto kept = std::min(static_cast<int64_t>(tokens.size()), length - 2);
  auto* number = row.data_ptr<int64_t>();
  *number++ = marks.start;
  number = std::copy_n(tokens.begin(), kept, number);
  *number = marks.end;
  return row;
}

ClipTokenizer::ClipTokenizer(const fs::path& vocabulary) : pairs_(read_pairs(vocabulary)) {}

std::vector<int64_t> ClipTokenizer::encode(std::string_view text) const {
  std::vector<int64_t> tokens;
  for (const std::string& word : prompt_words(cleaned_prompt(text))) {
    if (word == "<|startoftext|>") {
      tokens.push_back(start);
    } else if (word == "<|endoftext|>") {
      tokens.push_back(end);
    } else {
      pairs_.encode(word, tokens);
    }
  }
  return tokens;
}

Tensor ClipTokenizer::tokenize(const std::vector<std::string>& texts, TooLong too_long) const {
  const auto count = static_cast<int64_t>(texts.size());
  const Tensor rows = at::zeros({count, context_length}, at::kLong);
  for (int64_t i = 0; i < count; ++i) {
    const std::vector<int64_t> tokens = encode(texts[i]);
    const auto needed = static_cast<int64_t>(tokens.size()) + 2;
    if (needed > context_length && too_long == TooLong::fail) {
      throw Error(fmt::format("the prompt '{}' makes {} tokens; CLIP takes {}", printable(texts[i]), needed,
                              context_length));
    }
    rows[i].copy_(token_row(tokens, {start, end}, context_length));
  }
  return rows;
}

}  // namespace sr
