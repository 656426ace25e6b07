#pragma once
// Text as Python's str has it, for the tokenizers that were written in Python.
// What a character is comes from GLib, whose Unicode may be newer than that of the Python a checkpoint was
// trained with.

#include <string>
#include <string_view>

namespace sr {

/// Throws Error where the prompt `text` is not UTF-8.
std::u32string code_points(std::string_view text);
std::string utf8(std::u32string_view points);

bool is_space(char32_t c);  ///< `\s` of Python's regex
bool is_letter(char32_t c);
bool is_number(char32_t c);  ///< of any script, fractions and Roman numerals too

/// As CPython's str.lower.
std::u32string lower_case(std::u32string_view text);

/// Canonical decomposition (NFD): accents stand behind their letters. `text` holds no NUL.
std::u32string decomposed(std::u32string_view text);

}  // namespace sr
