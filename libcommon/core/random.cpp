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

/// Box and Muller's pair: two independent normal values of two uniform ones; `u` must be above 0.
std::array<double, 2> normal_pair(double u, double v) {
  const double radius = std::sqrt(-2 * std::log(u)), angle = 2 * std::numbers::pi * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, std::string_view item, std::string_view purpose)
    : key_(mixed(mixed(mixed(seed + 0x9E3779B97F4A7C15u) + fnv1a(item)) + fnv1a(purpose))) {}

std::uint64_t RandomStream::bits(std::uint64_t index) const {
  const auto words =
      philox4x32(philox_counter(index / 2, static_cast<std::uint32_t>(Sequence::draws)), key());
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

}  // namespace sr
