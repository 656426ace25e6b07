#include "nets/unicode.h"

#include <algorithm>
#include <array>
#include <glib.h>
#include <memory>

#include "core/error.h"

namespace sr {
namespace {

bool is_between(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

constexpr char32_t kCapitalSigma = 0x3A3, kSmallSigma = 0x3C3, kFinalSigma = 0x3C2, kDottedCapitalI = 0x130,
                   dot_above = 0x307;

/// Unicode's Case_Ignorable.
bool is_case_ignorable(char32_t c) {
  constexpr std::u32string_view within_words =
      U"'.:\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A";
  switch (g_unichar_type(c)) {
    case G_UNICODE_NON_SPACING_MARK:
    case G_UNICODE_ENCLOSING_MARK:
    case G_UNICODE_FORMAT:
    case G_UNICODE_MODIFIER_LETTER:
    case G_UNICODE_MODIFIER_SYMBOL: return true;
    default: return within_words.find(c) != std::u32string_view::npos;
  }
}

/// Unicode's Cased.
bool is_cased(char32_t c) {
  if (g_unichar_isupper(c) || g_unichar_islower(c) || g_unichar_istitle(c)) return true;
  return c == 0xAA || c == 0xBA || is_between(c, 0x2160, 0x217F) || is_between(c, 0x24B6, 0x24E9) ||
         is_between(c, 0x1F130, 0x1F149) || is_between(c, 0x1F150, 0x1F169) ||
         is_between(c, 0x1F170, 0x1F189);
}

/// The sigma at `place` ends a word: something cased stands before it, nothing cased behind.
bool ends_word(std::u32string_view text, size_t place) {
  const auto before = text.substr(0, place), behind = text.substr(place + 1);
  const auto last = std::find_if_not(before.rbegin(), before.rend(), is_case_ignorable);
  const auto next = std::find_if_not(behind.begin(), behind.end(), is_case_ignorable);
  return last != before.rend() && is_cased(*last) && (next == behind.end() || !is_cased(*next));
}

/// Of one character; GLib leaves Roman numerals and circled letters as they are.
char32_t lowered(char32_t c) {
  if (is_between(c, 0x2160, 0x216F)) return c + 0x10;
  if (is_between(c, 0x24B6, 0x24CF)) return c + 0x1A;
  return g_unichar_tolower(c);
}

}  // namespace

std::u32string code_points(std::string_view text) {
  std::u32string points;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end; at = g_utf8_next_char(at)) {
    const gunichar point = *at == 0 ? 0 : g_utf8_get_char_validated(at, end - at);
    if (point > 0x10FFFF) throw Error("the prompt is not valid UTF-8");
    points.push_back(point);
  }
  return points;
}

std::string utf8(std::u32string_view points) {
  std::string text;
  for (const char32_t point : points) {
    std::array<char, 6> bytes;
    const int count = g_unichar_to_utf8(point, bytes.data());
    text.append(bytes.data(), count);
  }
  return text;
}

bool is_space(char32_t c) {
  constexpr char32_t next_line = 0x85;
  return g_unichar_isspace(c) || c == '\v' || c == next_line;
}

bool is_letter(char32_t c) { return g_unichar_isalpha(c); }

bool is_number(char32_t c) {
  const auto type = g_unichar_type(c);
  return type == G_UNICODE_DECIMAL_NUMBER || type == G_UNICODE_LETTER_NUMBER ||
         type == G_UNICODE_OTHER_NUMBER;
}

std::u32string lower_case(std::u32string_view text) {
  std::u32string lower;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == kCapitalSigma) {
      lower.push_back(ends_word(text, i) ? kFinalSigma : kSmallSigma);
    } else if (text[i] == kDottedCapitalI) {
      lower += {U'i', dot_above};
    } else {
      lower.push_back(lowered(text[i]));
    }
  }
  return lower;
}

std::u32string decomposed(std::u32string_view text) {
  const std::string plain = utf8(text);
  const std::unique_ptr<char, decltype(&g_free)> normal(
      g_utf8_normalize(plain.data(), static_cast<gssize>(plain.size()), G_NORMALIZE_NFD), g_free);
  return code_points(normal.get());
}

}  // namespace sr
