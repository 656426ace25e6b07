#pragma once
// Characters as UTF-8.

#include <cstdint>
#include <string>

namespace sr {

inline void append_utf8(std::string& text, std::uint32_t code) {
  const auto tail = [&text, code](int shift) { text += static_cast<char>(0x80 | ((code >> shift) & 0x3f)); };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xc0 | (code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    text += static_cast<char>(0xe0 | (code >> 12));
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xf0 | ((code >> 18) & 0x07));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace sr
