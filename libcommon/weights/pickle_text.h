#pragma once
// The text encodings of pickles.

#include <optional>
#include <string>
#include <string_view>

namespace sr::pickle {

/// A quoted Python 2 string literal, escapes resolved; throws Error where the quotes don't match.
std::string unquoted(std::string_view literal);

/// Python's raw-unicode-escape (Latin-1, and \uXXXX or \UXXXXXXXX beyond it) as UTF-8.
std::string unescaped_unicode(std::string_view text);

/// The Latin-1 bytes of a UTF-8 text; nothing where it holds characters beyond U+00FF or is malformed.
std::optional<std::string> latin1_of_utf8(std::string_view text);

}  // namespace sr::pickle
