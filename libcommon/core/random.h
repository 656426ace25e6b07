#pragma once
// Named streams of random numbers. A draw is a function of (seed, item, purpose, index) alone, so threads,
// order and sharding do not change results.
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC11), Philox4x32-10.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/torch.h"

namespace sr {

/// Philox4x32-10: 128 random bits of a counter and a key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// The random numbers for one purpose ("noise", "crop") on one item ("photos/a.png"). Cheap to make and copy.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::string_view item, std::string_view purpose);

  /// The 64 random bits at `index`; does not move the stream.
  std::uint64_t bits(std::uint64_t index) const;

  /// How many 64-bit words the draws so far have taken; `seek` goes on from there.
  std::uint64_t position() const { return position_; }
  void seek(std::uint64_t position) { position_ = position; }

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
  void fill_uniform(const Tensor& values, std::uint64_t offset = 0) const;  ///< [0, 1), 24 bits
  void fill_normal(const Tensor& values, std::uint64_t offset = 0) const;   ///< mean 0, deviation 1

 private:
  enum class Sequence : std::uint32_t { draws, uniform_fill, normal_fill };
  std::array<std::uint32_t, 4> block(std::uint64_t index, Sequence sequence) const;
  template <typename ToFloats>
  void fill(const Tensor& values, std::uint64_t offset, Sequence sequence, const ToFloats& to_floats) const;
  std::uint64_t next() { return bits(position_++); }

  std::uint64_t key_;
  std::uint64_t position_ = 0;
};

}  // namespace sr
