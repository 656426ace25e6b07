#include "core/philox.h"

#include "core/simd.h"

namespace sr {

SR_VECTORISED void philox_blocks(PhiloxBlocks& blocks, std::size_t count, PhiloxKey key) {
  std::uint32_t* const first = blocks.words[0].data();
  std::uint32_t* const second = blocks.words[1].data();
  std::uint32_t* const third = blocks.words[2].data();
  std::uint32_t* const fourth = blocks.words[3].data();
  for (std::size_t j = 0; j < count; ++j) {
    const auto bits = philox4x32({first[j], second[j], third[j], fourth[j]}, key);
    first[j] = bits[0], second[j] = bits[1], third[j] = bits[2], fourth[j] = bits[3];
  }
}

}  // namespace sr
