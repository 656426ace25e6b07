#pragma once
// Character references of HTML.

#include <string>
#include <string_view>

namespace sr {

/// Replaces every character reference (&amp; &#38; &#x26; and also &amp without its semicolon) by what it
/// stands for, the way browsers do. Held against: CPython Lib/html/__init__.py unescape.
std::u32string unescape_html(std::u32string_view text);

}  // namespace sr
