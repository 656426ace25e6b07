#include "core/random.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numbers>

#include "core/error.h"

namespace sr {
namespace {

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return hash;
}

/// The finaliser of SplitMix64: FNV alone leaves the high bits of short names alike.
std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

using Block = std::array<std::uint32_t, 4>;
using Floats = std::array<float, 4>;

Floats uniform_floats(const Block& block) {
  Floats floats;
  for (std::size_t i = 0; i < 4; ++i) floats[i] = static_cast<float>(block[i] >> 8) * 0x1p-24f;
  return floats;
}

/// Box and Muller's pair: two independent normal values of two uniform ones; `u` must be above 0.
std::array<double, 2> normal_pair(double u, double v) {
  const double radius = std::sqrt(-2 * std::log(u)), angle = 2 * std::numbers::pi * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

Floats normal_floats(const Block& block) {
  const auto unit = [](std::uint32_t word) { return (word + 0.5) * 0x1p-32; };
  const auto first = normal_pair(unit(block[0]), unit(block[1]));
  const auto second = normal_pair(unit(block[2]), unit(block[3]));
  return {static_cast<float>(first[0]), static_cast<float>(first[1]), static_cast<float>(second[0]),
          static_cast<float>(second[1])};
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {high(b) ^ counter[1] ^ key[0], low(b), high(a) ^ counter[3] ^ key[1], low(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

RandomStream::RandomStream(std::uint64_t seed, std::string_view item, std::string_view purpose)
    : key_(mixed(mixed(mixed(seed + 0x9E3779B97F4A7C15u) + fnv1a(item)) + fnv1a(purpose))) {}

std::array<std::uint32_t, 4> RandomStream::block(std::uint64_t index, Sequence sequence) const {
  return philox4x32({low(index), high(index), static_cast<std::uint32_t>(sequence), 0},
                    {low(key_), high(key_)});
}

std::uint64_t RandomStream::bits(std::uint64_t index) const {
  const auto words = block(index / 2, Sequence::draws);
  const std::size_t half = index % 2 * 2;
  return std::uint64_t{words[half + 1]} << 32 | words[half];
}

double RandomStream::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

double RandomStream::uniform(double lo, double hi) {
  const double value = lo + (hi - lo) * uniform();
  return value < hi ? value : lo;  // the sum can round up to hi
}

double RandomStream::normal() {
  const double u = 1 - uniform();  // (0, 1]
  return normal_pair(u, uniform())[0];
}

std::int64_t RandomStream::integer(std::int64_t lo, std::int64_t hi) {
  if (lo > hi) throw Error(fmt::format("no integer lies between {} and {}", lo, hi));
  const std::uint64_t count = static_cast<std::uint64_t>(hi) - static_cast<std::uint64_t>(lo) + 1;
  if (count == 0) return static_cast<std::int64_t>(next());  // all 2^64
  // The first 2^64 mod count values are drawn again: what remains is a whole multiple of count.
  const std::uint64_t surplus = (0 - count) % count;
  std::uint64_t value = next();
  while (value < surplus) value = next();
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(lo) + value % count);
}

std::size_t RandomStream::choice(std::span<const double> weights) {
  double sum = 0;
  for (const double weight : weights) {
    if (!(weight >= 0)) throw Error(fmt::format("{} is no weight for a choice", weight));
    sum += weight;
  }
  if (!(sum > 0) || !std::isfinite(sum))
    throw Error("the weights of a choice must have a positive, finite sum");
  double rest = uniform() * sum;
  std::size_t last = 0;  // the last that can be chosen, where rounding leaves a rest
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    if (rest < weights[i]) return i;
    rest -= weights[i];
    last = i;
  }
  return last;
}

template <typename ToFloats>
void RandomStream::fill(const Tensor& values, std::uint64_t offset, Sequence sequence,
                        const ToFloats& to_floats) const {
  if (values.scalar_type() != at::kFloat || !values.is_contiguous() || !values.device().is_cpu()) {
    throw Error("only a contiguous float32 tensor in the CPU's memory can be filled with random numbers");
  }
  float* const out = values.data_ptr<float>();
  at::parallel_for(0, values.numel(), 1 << 14, [&](std::int64_t begin, std::int64_t end) {
    while (begin < end) {
      const std::uint64_t index = offset + static_cast<std::uint64_t>(begin);
      const Floats floats = to_floats(block(index / 4, sequence));
      const auto lane = static_cast<std::int64_t>(index % 4), count = std::min(4 - lane, end - begin);
      std::copy_n(floats.begin() + lane, count, out + begin);
      begin += count;
    }
  });
}

void RandomStream::fill_uniform(const Tensor& values, std::uint64_t offset) const {
  fill(values, offset, Sequence::uniform_fill, uniform_floats);
}

void RandomStream::fill_normal(const Tensor& values, std::uint64_t offset) const {
  fill(values, offset, Sequence::normal_fill, normal_floats);
}

}  // namespace sr
