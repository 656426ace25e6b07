#include "weights/pickle_text.h"

#include <charconv>
#include <cstdint>

#include "core/error.h"
#include "weights/utf8.h"

namespace sr::pickle {
namespace {

std::uint32_t hexadecimal(std::string_view digits, std::size_t count) {
  std::uint32_t number = 0;
  const std::string_view part = digits.substr(0, count);
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number, 16);
  if (part.size() != count || error != std::errc() || end != part.data() + part.size()) {
    throw Error("the pickle has a text with a broken escape");
  }
  return number;
}

/// The character that `\letter` stands for; an unknown escape stands for its letter.
char escaped(char letter) {
  switch (letter) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    case '0': return '\0';
    default: return letter;
  }
}

}  // namespace

std::string unquoted(std::string_view literal) {
  const bool quoted = literal.size() >= 2 && (literal.front() == '\'' || literal.front() == '"') &&
                      literal.back() == literal.front();
  if (!quoted) throw Error("the pickle has a string without its quotes");
  const std::string_view text = literal.substr(1, literal.size() - 2);
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      plain += text[i];
    } else if (text[++i] == 'x') {
      plain += static_cast<char>(hexadecimal(text.substr(i + 1), 2));
      i += 2;
    } else {
      plain += escaped(text[i]);
    }
  }
  return plain;
}

std::string unescaped_unicode(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char kind = text[i] == '\\' && i + 1 < text.size() ? text[i + 1] : '\0';
    const std::size_t digits = kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    if (digits == 0) {
      append_utf8(plain, static_cast<unsigned char>(text[i]));
    } else {
      append_utf8(plain, hexadecimal(text.substr(i + 2), digits));
      i += 1 + digits;
    }
  }
  return plain;
}

std::optional<std::string> latin1_of_utf8(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      bytes += text[i];
      continue;
    }
    const bool pair = (lead == 0xc2 || lead == 0xc3) && i + 1 < text.size();
    if (!pair) return std::nullopt;
    bytes += static_cast<char>(((lead & 0x03) << 6) | (text[++i] & 0x3f));
  }
  return bytes;
}

}  // namespace sr::pickle
