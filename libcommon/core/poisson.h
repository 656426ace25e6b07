#pragma once
// Poisson counts in batches.

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/philox.h"

namespace sr {

/// Where the random bits come from.
struct PoissonSource {
  PhiloxKey key;
  std::uint32_t sequence;
};

constexpr std::size_t kPoissonBatch = 2 * 64;
using PoissonBatch = std::array<float, kPoissonBatch>;

/// Turns the rates of batch `number` into counts, each a function of the source, its place and its rate
/// alone. Throws Error where a rate is not in 0..1e9.
void draw_poisson(const PoissonSource& source, std::uint64_t number, PoissonBatch& values);

}  // namespace sr
