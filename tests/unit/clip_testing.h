#pragma once
// What the tests of CLIP share.

#include <string>
#include <vector>

namespace sr::testing {

/// A vocabulary of the right length: its rules join two visible characters, then three.
inline std::string made_up_vocabulary() {
  constexpr int wanted = 49152 - 256 - 2;
  std::vector<std::string> symbols;
  for (char c = '!'; c <= '~'; ++c) symbols.push_back({c});
  const size_t plain = symbols.size();
  for (size_t i = 0; i < plain; ++i) {
    for (size_t j = 0; j < plain; ++j) symbols.push_back(symbols[i] + symbols[j]);
  }
  std::string text = "head\n";
  for (int rule = 0; rule < wanted; ++rule) {
    text += symbols.at(static_cast<size_t>(rule) / plain) + " " + symbols[static_cast<size_t>(rule) % plain] +
            "\n";
  }
  return text;
}

}  // namespace sr::testing
