#include "nets/html_entities.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

#include "nets/html_entity_names.h"

namespace sr {
namespace {

constexpr size_t kLongestName = 32;
constexpr char32_t kReplacement = 0xFFFD, kLastCodePoint = 0x10FFFF;

/// What the numbers 0x80 to 0x9F stand for: they are taken for Windows-1252.
constexpr std::array<char32_t, 32> kWindows1252 = {
    0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021, 0x2C6,  0x2030, 0x160,
    0x2039, 0x152,  0x8D,   0x17D,  0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};

struct Entity {
  std::u32string text;
  bool bare = false;  ///< stands for the text without its semicolon too
};

using Entities = std::unordered_map<std::string_view, Entity>;

/// "1F+2A3" as its characters.
std::u32string characters(std::string_view codes) {
  std::u32string text;
  while (!codes.empty()) {
    const size_t end = std::min(codes.find('+'), codes.size());
    text.push_back(static_cast<char32_t>(std::stoul(std::string(codes.substr(0, end)), nullptr, 16)));
    codes.remove_prefix(std::min(end + 1, codes.size()));
  }
  return text;
}

Entities read_table() {
  Entities entities;
  std::string_view rest = kHtmlEntityNames;
  while (!rest.empty()) {
    const size_t equals = rest.find('='), end = rest.find(' ');
    std::string_view codes = rest.substr(equals + 1, end - equals - 1);
    const bool bare = codes.ends_with('!');
    if (bare) codes.remove_suffix(1);
    entities[rest.substr(0, equals)] = {characters(codes), bare};
    rest.remove_prefix(end + 1);
  }
  return entities;
}

const Entity* find_entity(std::u32string_view name) {
  static const Entities entities = read_table();
  if (!std::all_of(name.begin(), name.end(), [](char32_t c) { return c < 0x80; })) return nullptr;
  const auto found = entities.find(std::string(name.begin(), name.end()));
  return found == entities.end() ? nullptr : &found->second;
}

/// Code points that no page may name, but for those that `kWindows1252` saves.
bool is_forbidden(char32_t code) {
  const bool control = code < 0x20 && code != '\t' && code != '\n' && code != '\f';
  return control || code == 0x7F || (code >= 0xFDD0 && code <= 0xFDEF) || (code & 0xFFFE) == 0xFFFE;
}

std::u32string character(char32_t code) {
  if (code == 0 || code > kLastCodePoint || (code >= 0xD800 && code <= 0xDFFF)) return {kReplacement};
  if (code >= 0x80 && code <= 0x9F) return {kWindows1252[code - 0x80]};
  if (code == '\r') return {code};
  return is_forbidden(code) ? std::u32string() : std::u32string{code};
}

/// A reference's text, and how much of the page (after the ampersand) it takes.
struct Match {
  std::u32string text;
  size_t length = 0;
};

int digit_value(char32_t c, int base) {
  if (c >= '0' && c <= '9') return static_cast<int>(c - '0');
  if (base == 16 && (c | 0x20) >= 'a' && (c | 0x20) <= 'f') return static_cast<int>((c | 0x20) - 'a') + 10;
  return -1;
}

/// What follows "&#".
std::optional<Match> match_number(std::u32string_view rest) {
  const bool hexadecimal = rest.size() > 1 && (rest[1] | 0x20) == 'x';
  const int base = hexadecimal ? 16 : 10;
  const size_t first = hexadecimal ? 2 : 1;
  size_t end = first;
  std::uint64_t code = 0;
  for (; end < rest.size() && digit_value(rest[end], base) >= 0; ++end) {
    const auto digit = static_cast<std::uint64_t>(digit_value(rest[end], base));
    code = std::min<std::uint64_t>(code * base + digit, kLastCodePoint + 1);
  }
  if (end == first) return std::nullopt;
  if (end < rest.size() && rest[end] == ';') ++end;
  return Match{character(static_cast<char32_t>(code)), end};
}

bool is_name_character(char32_t c) {
  constexpr std::u32string_view others = U"\t\n\f <&#;";
  return others.find(c) == std::u32string_view::npos;
}

/// The longest name at the beginning of what follows "&".
std::optional<Match> match_name(std::u32string_view rest) {
  size_t end = 0;
  while (end < std::min(kLongestName, rest.size()) && is_name_character(rest[end])) ++end;
  if (end < rest.size() && rest[end] == ';') {
    if (const Entity* entity = find_entity(rest.substr(0, end))) return Match{entity->text, end + 1};
  }
  for (; end > 1; --end) {
    const Entity* entity = find_entity(rest.substr(0, end));
    if (entity && entity->bare) return Match{entity->text, end};
  }
  return std::nullopt;
}

}  // namespace

std::u32string unescape_html(std::u32string_view text) {
  std::u32string out;
  while (!text.empty()) {
    const size_t ampersand = std::min(text.find(U'&'), text.size());
    out += text.substr(0, ampersand);
    text.remove_prefix(ampersand);
    if (text.empty()) break;
    text.remove_prefix(1);
    const bool number = !text.empty() && text[0] == '#';
    const auto match = number ? match_number(text) : match_name(text);
    out += match ? match->text : U"&";
    text.remove_prefix(match ? match->length : 0);
  }
  return out;
}

}  // namespace sr
