// Whole tensors of random numbers, made in batches of which the compiler makes vectors.

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/poisson.h"
#include "core/random.h"
#include "core/simd.h"

namespace sr {
namespace {

/// Values number kBatch * b and on come from the blocks number kBlocks * b and on: first the first words of
/// all blocks, then the second ones.
constexpr std::size_t kBlocks = 64, kBatch = 4 * kBlocks;
static_assert(kBlocks <= PhiloxBlocks::kCapacity);
using Batch = std::array<float, kBatch>;

/// The natural logarithm of a positive, finite, normal number, to 1e-7 of it or of 1.
[[gnu::always_inline]] inline float logarithm(float x) {
  constexpr std::uint32_t root_half = 0x3F3504F3;  // the bits of sqrt(1/2)
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::int32_t exponent = static_cast<std::int32_t>(bits - root_half) >> 23;
  const auto mantissa = std::bit_cast<float>(bits - (static_cast<std::uint32_t>(exponent) << 23));
  // log m = 2 artanh((m - 1) / (m + 1)), m in [sqrt(1/2), sqrt(2)), by its power series
  const float s = (mantissa - 1) / (mantissa + 1), z = s * s;
  const float series = z * (1.0f / 3 + z * (1.0f / 5 + z * (1.0f / 7 + z * (1.0f / 9))));
  return static_cast<float>(exponent) * std::numbers::ln2_v<float> + 2 * (s + s * series);
}

/// Box and Muller's radii, sqrt(-2 log u), u in (0, 1] of 31 random bits: up to 6.66.
SR_VECTORISED void make_radii(const std::uint32_t* words, float* radii) {
  for (std::size_t j = 0; j < kBlocks; ++j) {
    const float u = (static_cast<float>(static_cast<std::int32_t>(words[j] >> 1)) + 0.5f) * 0x1p-31f;
    radii[j] = std::sqrt(std::max(0.0f, -2 * logarithm(u)));
  }
}

/// radius * (cos, sin) of an angle that is words / 2^32 of a turn. Signs and the change of places between
/// sine and cosine are done on the bits: branches would keep the loop from being vectorised.
SR_VECTORISED void to_cartesian(const std::uint32_t* words, const float* radii, float* x, float* y) {
  for (std::size_t j = 0; j < kBlocks; ++j) {
    const std::uint32_t quadrant = words[j] + (1u << 29);  // in the upper two bits, rounded to the nearest
    const float angle =
        static_cast<float>(static_cast<std::int32_t>(words[j] << 2)) * (std::numbers::pi_v<float> * 0x1p-33f);
    const float z = angle * angle;  // of at most pi / 4, where the power series end early
    const float sine =
        angle * (1 + z * (-1.0f / 6 + z * (1.0f / 120 + z * (-1.0f / 5040 + z * (1.0f / 362880)))));
    const float cosine = 1 + z * (-0.5f + z * (1.0f / 24 + z * (-1.0f / 720 + z * (1.0f / 40320))));
    const auto sine_bits = std::bit_cast<std::uint32_t>(sine),
               cosine_bits = std::bit_cast<std::uint32_t>(cosine);
    const std::uint32_t change = (sine_bits ^ cosine_bits) & (0u - (quadrant >> 30 & 1));
    const std::uint32_t x_sign = (quadrant + (1u << 30)) & (1u << 31), y_sign = quadrant & (1u << 31);
    x[j] = radii[j] * std::bit_cast<float>(cosine_bits ^ change ^ x_sign);
    y[j] = radii[j] * std::bit_cast<float>(sine_bits ^ change ^ y_sign);
  }
}

void make_normal(const PhiloxBlocks& blocks, float* values) {
  std::array<float, kBlocks> radii;
  for (std::size_t w = 0; w < 4; w += 2) {
    make_radii(blocks.words[w].data(), radii.data());
    to_cartesian(blocks.words[w + 1].data(), radii.data(), values + w * kBlocks, values + (w + 1) * kBlocks);
  }
}

float* fillable(const Tensor& values) {
  if (values.scalar_type() != at::kFloat || !values.is_contiguous() || !values.device().is_cpu()) {
    throw Error("only a contiguous float32 tensor in the CPU's memory can be filled with random numbers");
  }
  return values.data_ptr<float>();
}

/// Calls part(batch, lane, begin, count) for all parts of `numel` elements that lie within one batch of
/// `size`, element 0 being number `offset`.
template <typename Part>
void for_batches(std::int64_t numel, std::uint64_t offset, std::size_t size, const Part& part) {
  at::parallel_for(0, numel, 1 << 14, [&](std::int64_t begin, std::int64_t end) {
    while (begin < end) {
      const std::uint64_t index = offset + static_cast<std::uint64_t>(begin);
      const std::size_t lane = index % size;
      const std::size_t count = std::min(size - lane, static_cast<std::size_t>(end - begin));
      part(index / size, lane, begin, count);
      begin += static_cast<std::int64_t>(count);
    }
  });
}

}  // namespace

void RandomStream::fill_normal(const Tensor& values, std::uint64_t offset) const {
  float* const out = fillable(values);
  for_batches(values.numel(), offset, kBatch,
              [&](std::uint64_t number, std::size_t lane, std::int64_t begin, std::size_t count) {
                PhiloxBlocks blocks;
                for (std::size_t j = 0; j < kBlocks; ++j) {
                  blocks.set(j, philox_counter(number * kBlocks + j,
                                               static_cast<std::uint32_t>(Sequence::normal_fill)));
                }
                philox_blocks(blocks, kBlocks, key());
                Batch batch;
                make_normal(blocks, batch.data());
                std::copy_n(batch.begin() + lane, count, out + begin);
              });
}

void RandomStream::fill_poisson(const Tensor& values, const Tensor& rates, std::uint64_t offset) const {
  float* const out = fillable(values);
  if (values.sizes() != rates.sizes()) throw Error("Poisson counts and their rates must have the same shape");
  const float* const in = fillable(rates);
  const PoissonSource source{key(), static_cast<std::uint32_t>(Sequence::poisson_fill)};
  for_batches(values.numel(), offset, kPoissonBatch,
              [&](std::uint64_t number, std::size_t lane, std::int64_t begin, std::size_t count) {
                PoissonBatch batch{};
                std::copy_n(in + begin, count, batch.begin() + lane);
                draw_poisson(source, number, batch);
                std::copy_n(batch.begin() + lane, count, out + begin);
              });
}

}  // namespace sr
