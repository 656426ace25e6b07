#include "nets/sd_tokenizer.h"

#include <algorithm>
#include <fmt/format.h>
#include <glib.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "nets/clip_text.h"
#include "nets/clip_tokenizer.h"
#include "nets/unicode.h"

namespace sr {
namespace {

constexpr const char *kStartText = "<|startoftext|>", *kEndText = "<|endoftext|>", *kPaddingText = "!";

// --- files -----------------------------------------------------------------------------------------

void require_token(const BytePairs::Spellings& spellings, const std::string& text, const fs::path& path) {
  if (!spellings.count(text)) throw Error(fmt::format("{}: lacks the token '{}'", path.string(), text));
}

/// Token numbers by spelling; all bytes and the marks are among them.
BytePairs::Spellings read_vocabulary(const fs::path& path) {
  const auto json = nlohmann::json::parse(read_file(path), nullptr, false);
  if (!json.is_object()) throw Error(fmt::format("{}: is no JSON object", path.string()));
  BytePairs::Spellings spellings;
  for (const auto& [text, number] : json.items()) {
    const int64_t token = number.is_number_integer() ? number.get<int64_t>() : -1;
    if (token < 0 || token > std::numeric_limits<std::int32_t>::max())
      throw Error(fmt::format("{}: '{}' has no token number", path.string(), printable(text)));
    spellings[text] = token;
  }
  for (const std::string& byte : byte_spellings()) {
    require_token(spellings, byte, path);
    require_token(spellings, byte + kWordEnd, path);
  }
  require_token(spellings, kStartText, path);
  require_token(spellings, kEndText, path);
  return spellings;
}

/// A rule for each token that is neither byte nor mark.
std::vector<MergeRule> read_rules(const fs::path& path, size_t tokens) {
  const size_t wanted = tokens - 2 * byte_spellings().size() - 2;
  auto rules = merge_rules(read_file(path), wanted);
  if (rules.size() < wanted) {
    throw Error(fmt::format("{}: {} merge rules in place of the {} that vocab.json needs", path.string(),
                            rules.size(), wanted));
  }
  return rules;
}

// --- words -----------------------------------------------------------------------------------------

bool is_dropped(char32_t c) {
  constexpr char32_t replacement = 0xFFFD;
  if (c == '\t' || c == '\n' || c == '\r') return false;
  switch (g_unichar_type(c)) {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_SURROGATE:
    case G_UNICODE_PRIVATE_USE:
    case G_UNICODE_UNASSIGNED: return true;
    default: return c == replacement;
  }
}

/// CJK ideographs of the blocks that BERT knows.
bool is_ideograph(char32_t c) {
  using Block = std::pair<char32_t, char32_t>;
  constexpr std::array<Block, 8> blocks{Block{0x3400, 0x4DBF}, {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
                                        {0x20000, 0x2A6DF},    {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F},
                                        {0x2B820, 0x2CEAF},    {0x2F800, 0x2FA1F}};
  return std::ranges::any_of(blocks, [c](const Block& b) { return c >= b.first && c <= b.second; });
}

/// Of Unicode, and of ASCII what is neither letter nor digit ($ + < = > ^ ` | ~ too).
bool is_punctuation(char32_t c) {
  if (c < 0x80) return g_ascii_ispunct(static_cast<char>(c));
  switch (g_unichar_type(c)) {
    case G_UNICODE_CONNECT_PUNCTUATION:
    case G_UNICODE_DASH_PUNCTUATION:
    case G_UNICODE_CLOSE_PUNCTUATION:
    case G_UNICODE_FINAL_PUNCTUATION:
    case G_UNICODE_INITIAL_PUNCTUATION:
    case G_UNICODE_OTHER_PUNCTUATION:
    case G_UNICODE_OPEN_PUNCTUATION: return true;
    default: return false;
  }
}

bool is_accent(char32_t c) { return g_unichar_type(c) == G_UNICODE_NON_SPACING_MARK; }

/// Without what BERT drops, ideographs between spaces.
std::u32string spaced_ideographs(std::u32string_view text) {
  std::u32string out;
  for (const char32_t c : text) {
    if (is_dropped(c)) continue;
    if (is_ideograph(c)) {
      out += {U' ', c, U' '};
    } else {
      out.push_back(is_space(c) ? U' ' : c);
    }
  }
  return out;
}

}  // namespace

std::u32string basic_words(std::u32string_view text) {
  std::u32string words;
  const auto part = [&words] {
    if (!words.empty() && words.back() != U' ') words.push_back(U' ');
  };
  for (const char32_t c : decomposed(lower_case(spaced_ideographs(text)))) {
    if (is_accent(c)) continue;
    const bool alone = is_punctuation(c);
    if (alone || c == U' ') part();
    if (c != U' ') words.push_back(c);
    if (alone) part();
  }
  if (!words.empty() && words.back() == U' ') words.pop_back();
  return words;
}

SdTokenizer::SdTokenizer(const fs::path& folder)
    : SdTokenizer(folder, read_vocabulary(folder / "vocab.json")) {}

SdTokenizer::SdTokenizer(const fs::path& folder, const BytePairs::Spellings& spellings)
    : specials_{Special{kStartText, spellings.at(kStartText)},
                {kEndText, spellings.at(kEndText)},
                {kPaddingText, spellings.at(kPaddingText)}},
      pairs_(spellings, read_rules(folder / "merges.txt", spellings.size()),
             (folder / "merges.txt").string()) {}

const SdTokenizer::Special* SdTokenizer::special_at(std::string_view text) const {
  const auto found =
      std::ranges::find_if(specials_, [text](const Special& s) { return text.starts_with(s.text); });
  return found == specials_.end() ? nullptr : &*found;
}

void SdTokenizer::encode_plain(std::string_view text, std::vector<int64_t>& tokens) const {
  for (const std::string& word : prompt_words(basic_words(code_points(text)))) pairs_.encode(word, tokens);
}

std::vector<int64_t> SdTokenizer::encode(std::string_view text) const {
  std::vector<int64_t> tokens;
  size_t plain = 0, at = 0;  // where the plain text before `at` begins
  while (at < text.size()) {
    const Special* const special = special_at(text.substr(at));
    if (!special) {
      ++at;
      continue;
    }
    encode_plain(text.substr(plain, at - plain), tokens);
    tokens.push_back(special->token);
    plain = at += special->text.size();
  }
  encode_plain(text.substr(plain), tokens);
  return tokens;
}

Tensor SdTokenizer::tokenize(const std::vector<std::string>& texts) const {
  const TokenMarks marks{specials_[0].token, specials_[1].token, specials_[2].token};
  Tensor rows = at::empty({static_cast<int64_t>(texts.size()), context_length}, at::kLong);
  for (size_t i = 0; i < texts.size(); ++i)
    rows[static_cast<int64_t>(i)].copy_(token_row(encode(texts[i]), marks, context_length));
  return rows;
}

}  // namespace sr
