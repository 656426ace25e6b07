#pragma once
// Named streams of random numbers. A draw is a function of (seed, item, purpose, index) alone, so threads,
// order and sharding do not change results.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/philox.h"
#include "core/torch.h"

namespace sr {

/// Of the seeds that people give: in JSON and TOML larger numbers are not exact.
constexpr std::int64_t kMostSeed = std::int64_t{1} << 53;

/// The random numbers for one purpose ("noise", "crop") on one item ("photos/a.png"). Cheap to make and copy.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::string_view item, std::string_view purpose);

  /// The 64 random bits at `index`; does not move the stream.
  std::uint64_t bits(std::uint64_t index) const;

  double uniform();                      ///< [0, 1), 53 bits
  double uniform(double lo, double hi);  ///< [lo, hi)
  double normal();                       ///< mean 0, deviation 1
  /// lo..hi, both included, each equally likely. Throws Error where lo > hi.
  std::int64_t integer(std::int64_t lo, std::int64_t hi);
  /// An index, with a probability in proportion to its weight. Throws Error unless the weights are finite,
  /// none is negative and one is positive.
  std::size_t choice(std::span<const double> weights);

  /// Fill a float32 tensor (contiguous, on the CPU) in parallel. Element i gets the value number offset + i
  /// of a sequence that is not shared with the draws above, so a part of a larger tensor can be filled alone.
  void fill_normal(const Tensor& values, std::uint64_t offset = 0) const;  ///< mean 0, deviation 1
  /// Counts of events at these rates, a float32 tensor of the shape of `values`. Throws Error where a rate
  /// is not in 0..1e9.
  void fill_poisson(const Tensor& values, const Tensor& rates, std::uint64_t offset = 0) const;

 private:
  enum class Sequence : std::uint32_t { draws, normal_fill = 2, poisson_fill };
  PhiloxKey key() const { return {static_cast<std::uint32_t>(key_), static_cast<std::uint32_t>(key_ >> 32)}; }
  std::uint64_t next() { return bits(position_++); }

  std::uint64_t key_;
  std::uint64_t position_ = 0;
};

}  // namespace sr
