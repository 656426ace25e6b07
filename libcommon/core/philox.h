#pragma once
// Philox4x32-10, a random number generator without a state: its values are a function of a counter and a key.
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC11).

#include <array>
#include <cstddef>
#include <cstdint>

namespace sr {

using PhiloxKey = std::array<std::uint32_t, 2>;

/// 128 random bits of a counter and a key.
[[gnu::always_inline]] inline std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                                      PhiloxKey key) {
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

/// The counter of number `index` in a sequence; `attempt` where one value may take several.
inline std::array<std::uint32_t, 4> philox_counter(std::uint64_t index, std::uint32_t sequence,
                                                   std::uint32_t attempt = 0) {
  return {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), sequence, attempt};
}

/// Many counters, or the random bits that they became, word by word: word w of number j is words[w][j].
struct PhiloxBlocks {
  static constexpr std::size_t kCapacity = 128;
  std::array<std::array<std::uint32_t, kCapacity>, 4> words;

  void set(std::size_t j, const std::array<std::uint32_t, 4>& counter) {
    for (std::size_t w = 0; w < 4; ++w) words[w][j] = counter[w];
  }
};

/// Turns the first `count` counters into random bits.
void philox_blocks(PhiloxBlocks& blocks, std::size_t count, PhiloxKey key);

}  // namespace sr
