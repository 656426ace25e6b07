#include "nets/clip_text.h"

#include <algorithm>
#include <initializer_list>

#include "nets/html_entities.h"
#include "nets/unicode.h"

namespace sr {
namespace {

// --- kinds of characters ---------------------------------------------------------------------------

/// What Python's str.strip takes off the ends: the four separators of ASCII as well.
bool is_stripped(char32_t c) { return is_space(c) || (c >= 0x1C && c <= 0x1F); }

/// U+0345 has a letter for its capital, so `[^\s\p{L}\p{N}]` misses it where case is ignored.
bool is_other(char32_t c) { return !is_space(c) && !is_letter(c) && !is_number(c) && c != 0x345; }

// --- white space -----------------------------------------------------------------------------------

std::u32string_view stripped(std::u32string_view text) {
  const auto first = std::find_if_not(text.begin(), text.end(), is_stripped);
  const auto last = std::find_if_not(text.rbegin(), std::make_reverse_iterator(first), is_stripped).base();
  return text.substr(first - text.begin(), last - first);
}

std::u32string single_spaced(std::u32string_view text) {
  std::u32string out;
  for (const char32_t c : text) {
    const bool space = is_space(c);
    if (!space) out.push_back(c);
    if (space && (out.empty() || out.back() != ' ')) out.push_back(' ');
  }
  return out;
}

// --- words -----------------------------------------------------------------------------------------

/// Whether `text` begins with `word`, the long s taken for an s.
bool begins_with(std::u32string_view text, std::u32string_view word) {
  return text.size() >= word.size() && std::equal(word.begin(), word.end(), text.begin(), [](auto a, auto b) {
           constexpr char32_t long_s = 0x17F;
           return a == b || (a == 's' && b == long_s);
         });
}

/// Characters of the word that `text` begins with; 0 where it begins with none.
size_t word_length(std::u32string_view text) {
  for (const std::u32string_view word :
       {U"<|startoftext|>", U"<|endoftext|>", U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"}) {
    if (begins_with(text, word)) return word.size();
  }
  const auto run = [text](bool (*belongs)(char32_t)) {
    return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), belongs) - text.begin());
  };
  if (is_number(text[0])) return 1;
  return is_letter(text[0]) ? run(is_letter) : run(is_other);
}

}  // namespace

std::u32string cleaned_prompt(std::string_view text) {
  const std::u32string plain = unescape_html(unescape_html(code_points(text)));
  return lower_case(stripped(single_spaced(stripped(plain))));
}

std::vector<std::string> prompt_words(std::u32string_view cleaned) {
  std::vector<std::string> words;
  while (!cleaned.empty()) {
    const size_t length = word_length(cleaned);
    if (length > 0) words.push_back(utf8(cleaned.substr(0, length)));
    cleaned.remove_prefix(std::max<size_t>(length, 1));
  }
  return words;
}

}  // namespace sr
