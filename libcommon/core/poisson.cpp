// Rates below 10 by inversion, the others by Hoermann's transformed rejection with squeeze.
// Source: W. Hoermann, "The transformed rejection method for generating Poisson random variables", Insurance:
// Mathematics and Economics 12 (1993), algorithm PTRS.

#include "core/poisson.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numbers>

#include "core/error.h"
#include "core/simd.h"

namespace sr {
namespace {

constexpr std::size_t kHalf = kPoissonBatch / 2;
static_assert(kPoissonBatch <= PhiloxBlocks::kCapacity);
constexpr float kLarge = 10, kLargest = 1e9;

using Doubles = std::array<double, kPoissonBatch>;

/// Elements of a batch.
struct Elements {
  std::size_t size = 0;
  std::array<std::uint8_t, kPoissonBatch> at;

  /// Appends without a branch, which would be mispredicted often.
  void add_if(bool condition, std::size_t element) {
    at[size] = static_cast<std::uint8_t>(element);
    size += condition ? 1 : 0;
  }
};

/// Random bits as u in (-1/2, 1/2) and v in (0, 1).
SR_VECTORISED void to_uniform(const std::uint32_t* words, const std::uint32_t* more_words, std::size_t n,
                              double* u, double* v) {
  for (std::size_t j = 0; j < n; ++j) {
    u[j] = static_cast<double>(static_cast<std::int32_t>(words[j])) * 0x1p-32 + 0x1p-33;
    v[j] = static_cast<double>(static_cast<std::int32_t>(more_words[j])) * 0x1p-32 + (0.5 + 0x1p-33);
  }
}

// --- inversion -----------------------------------------------------------------------------------

constexpr std::size_t kGroup = 32;  // loops of this length are made vectors of, shorter ones unrolled

/// exp(-x), 0 <= x <= 10, by the power series of exp(-x / 16).
[[gnu::always_inline]] inline double decay(double x) {
  double series = 1;
#pragma GCC unroll 14
  for (int i = 14; i > 0; --i) series = 1 - x * (1.0 / 16 / i) * series;
  const double square = series * series, fourth = square * square, eighth = fourth * fourth;
  return eighth * eighth;
}

/// The least counts whose cumulative probability exceeds `uniform`, for kGroup elements.
SR_VECTORISED void invert(const double* rates, const double* uniform, double* counts) {
  constexpr int last = 80;  // beyond it there is less than 1e-40
  double probability[kGroup], rest[kGroup];
  for (std::size_t j = 0; j < kGroup; ++j) {
    probability[j] = decay(rates[j]);
    rest[j] = uniform[j] - probability[j];
    counts[j] = 0;
  }
  bool open = true;
  for (int k = 1; k < last && open; ++k) {
    const double factor = 1.0 / k;
    auto signs = ~std::uint64_t{0};
    for (std::size_t j = 0; j < kGroup; ++j) {
      counts[j] += rest[j] >= 0 ? 1.0 : 0.0;
      probability[j] *= rates[j] * factor;
      rest[j] -= probability[j];
      signs &= std::bit_cast<std::uint64_t>(rest[j]);
    }
    open = signs >> 63 == 0;
  }
}

/// Replaces the rates of some elements by counts.
void draw_by_inversion(const Elements& elements, const Doubles& u, const Doubles& v, PoissonBatch& values) {
  for (std::size_t begin = 0; begin < elements.size; begin += kGroup) {
    const std::size_t n = std::min(kGroup, elements.size - begin);
    std::array<double, kGroup> rates{}, uniform{}, counts;
    for (std::size_t j = 0; j < n; ++j) {
      const std::size_t element = elements.at[begin + j];
      rates[j] = values[element];
      uniform[j] = u[element] + 0.5 + (v[element] - 0.5) * 0x1p-32;  // 64 bits
    }
    invert(rates.data(), uniform.data(), counts.data());
    for (std::size_t j = 0; j < n; ++j) values[elements.at[begin + j]] = static_cast<float>(counts[j]);
  }
}

// --- transformed rejection -----------------------------------------------------------------------

/// Trials of large rates, side by side. `verdict`: accepted where it is not negative.
struct Trials {
  Doubles rate, root;  ///< root: the square root of the rate
  Doubles u, v, count, verdict;
  Doubles correction;  ///< what Stirling's formula lacks of log(count!); infinite refuses
};

/// Proposes counts; those accepted here are most.
SR_VECTORISED void propose(std::size_t n, const double* rate, const double* root, const double* u,
                           const double* v, double* count, double* verdict) {
  for (std::size_t j = 0; j < n; ++j) {
    const double b = 0.931 + 2.53 * root[j], a = -0.059 + 0.02483 * b;
    const double us = 0.5 - std::abs(u[j]);
    // floor(... + 0.43): 1.5 * 2^52 rounds, for which even SSE2 needs no function call.
    count[j] = ((2 * a / us + b) * u[j] + rate[j] - 0.07) + 0x1.8p52 - 0x1.8p52;
    const double inside = us - 0.07, below = 0.9277 - 3.6224 / (b - 2) - v[j];
    verdict[j] = inside < below ? inside : below;
  }
}

/// The natural logarithm of a positive, finite, normal number.
[[gnu::always_inline]] inline double logarithm(double x) {
  constexpr std::uint64_t root_half = 0x3FE6A09E667F3BCD;                // the bits of sqrt(1/2)
  constexpr std::uint64_t bias = 1 << 11, one = std::uint64_t{1} << 52;  // bias: keeps the exponent positive
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const std::uint64_t exponent = (bits - root_half + bias * one) / one;
  const auto mantissa = std::bit_cast<double>(bits - (exponent - bias) * one);
  // 2^52 + exponent, put together from bits: not every processor can make vectors of 64-bit integers double.
  const double e = std::bit_cast<double>(exponent | std::bit_cast<std::uint64_t>(0x1p52)) - (0x1p52 + bias);
  // log m = 2 artanh((m - 1) / (m + 1)), m in [sqrt(1/2), sqrt(2)), by its power series
  const double s = (mantissa - 1) / (mantissa + 1), z = s * s;
  double series = 0;
#pragma GCC unroll 9
  for (int i = 9; i > 0; --i) series = z * (1.0 / (2 * i + 1) + series);
  return e * std::numbers::ln2 + 2 * (s + s * series);
}

/// log(k!) = (k + 1/2) log k - k + log(2 pi) / 2 + this; for k = 0 with log k = 0.
double stirling_correction(double k) {
  constexpr std::array exact = {-0.9189385332046727,  0.08106146679532726, 0.04134069595540929,
                                0.02767792568499834,  0.02079067210376509, 0.01664469118982119,
                                0.01387612882307075,  0.01189670994589177, 0.01041126526197209,
                                0.009255462182712733, 0.008330563433362871};
  if (k < static_cast<double>(exact.size())) return exact[static_cast<std::size_t>(std::max(k, 0.0))];
  const double r = 1 / k, z = r * r;
  return r * (1.0 / 12 - z * (1.0 / 360 - z * (1.0 / 1260)));
}

/// The whole test of proposed counts.
SR_VECTORISED void judge(std::size_t n, const double* rate, const double* root, const double* u,
                         const double* v, const double* correction, const double* count, double* verdict) {
  for (std::size_t j = 0; j < n; ++j) {
    const double b = 0.931 + 2.53 * root[j], a = -0.059 + 0.02483 * b;
    const double us = 0.5 - std::abs(u[j]);
    const double k = 0.5 * (count[j] + 1 + std::abs(count[j] - 1));  // at least 1, without a branch
    const double hat = logarithm(v[j] * (1.1239 + 1.1328 / (b - 3.4)) / (a / (us * us) + b));
    const double probability = count[j] * logarithm(rate[j] / k) + count[j] - rate[j] -
                               0.5 * logarithm(2 * std::numbers::pi * k) - correction[j];
    verdict[j] = probability - hat;
  }
}

void judge(std::size_t n, Trials& trials) {
  for (std::size_t j = 0; j < n; ++j) {
    const double us = 0.5 - std::abs(trials.u[j]);
    const bool impossible = trials.count[j] < 0 || (us < 0.013 && trials.v[j] > us);  // step 3
    trials.correction[j] =
        impossible ? std::numeric_limits<double>::infinity() : stirling_correction(trials.count[j]);
  }
  judge(n, trials.rate.data(), trials.root.data(), trials.u.data(), trials.v.data(), trials.correction.data(),
        trials.count.data(), trials.verdict.data());
}

void propose(std::size_t n, Trials& trials) {
  propose(n, trials.rate.data(), trials.root.data(), trials.u.data(), trials.v.data(), trials.count.data(),
          trials.verdict.data());
}

/// The first proposals, for all elements of the batch in their order; the trials that were not accepted.
Elements propose_first(const Elements& elements, Trials& trials, PoissonBatch& values) {
  for (std::size_t j = 0; j < kPoissonBatch; ++j) {
    const float rate = std::max(kLarge, values[j]);  // a small one is not among `elements`
    trials.rate[j] = rate;
    trials.root[j] = std::sqrt(rate);
  }
  propose(kPoissonBatch, trials);
  Elements open;
  for (std::size_t j = 0; j < elements.size; ++j) {
    const std::size_t element = elements.at[j];
    values[element] = static_cast<float>(trials.count[element]);
    open.add_if(trials.verdict[element] < 0, element);
  }
  return open;
}

Trials selected(const Trials& trials, const Elements& elements) {
  Trials some;
  for (std::size_t j = 0; j < elements.size; ++j) {
    const std::size_t from = elements.at[j];
    some.rate[j] = trials.rate[from], some.root[j] = trials.root[from];
    some.u[j] = trials.u[from], some.v[j] = trials.v[from], some.count[j] = trials.count[from];
  }
  return some;
}

/// Takes the counts of judged trials, and leaves those trials that must be made again.
void settle(Elements& elements, Trials& trials, PoissonBatch& values) {
  Elements open;
  for (std::size_t j = 0; j < elements.size; ++j) {
    values[elements.at[j]] = static_cast<float>(trials.count[j]);
    trials.rate[open.size] = trials.rate[j], trials.root[open.size] = trials.root[j];
    open.add_if(trials.verdict[j] < 0, elements.at[j]);
  }
  elements = open;
}

/// Draws `trials.u` and `.v` anew.
void redraw(const Elements& elements, const PoissonSource& source, std::uint64_t number,
            std::uint32_t attempt, Trials& trials) {
  PhiloxBlocks blocks;
  for (std::size_t j = 0; j < elements.size; ++j) {
    blocks.set(j, philox_counter(number * kHalf + elements.at[j] % kHalf, source.sequence, attempt));
  }
  philox_blocks(blocks, elements.size, source.key);
  for (std::size_t j = 0; j < elements.size; ++j) {
    const std::size_t word = elements.at[j] / kHalf * 2;
    blocks.words[0][j] = blocks.words[word][j], blocks.words[1][j] = blocks.words[word + 1][j];
  }
  to_uniform(blocks.words[0].data(), blocks.words[1].data(), elements.size, trials.u.data(), trials.v.data());
}

void draw_by_rejection(const Elements& elements, const PoissonSource& source, std::uint64_t number,
                       Trials& first, PoissonBatch& values) {
  Elements open = propose_first(elements, first, values);
  Trials trials = selected(first, open);
  for (std::uint32_t attempt = 1; open.size != 0; ++attempt) {
    judge(open.size, trials);
    settle(open, trials, values);
    redraw(open, source, number, attempt, trials);
    propose(open.size, trials);
  }
}

}  // namespace

void draw_poisson(const PoissonSource& source, std::uint64_t number, PoissonBatch& values) {
  PhiloxBlocks blocks;
  for (std::size_t j = 0; j < kHalf; ++j) {
    blocks.set(j, philox_counter(number * kHalf + j, source.sequence));
  }
  philox_blocks(blocks, kHalf, source.key);
  Trials trials;
  for (std::size_t half = 0; half < 2; ++half) {
    to_uniform(blocks.words[2 * half].data(), blocks.words[2 * half + 1].data(), kHalf,
               trials.u.data() + half * kHalf, trials.v.data() + half * kHalf);
  }
  Elements small, large;
  bool valid = true;
  for (std::size_t i = 0; i < kPoissonBatch; ++i) {
    const bool positive = values[i] > 0, over = values[i] >= kLarge;
    small.add_if(positive != over, i);
    large.add_if(over, i);
    valid &= (values[i] >= 0) & (values[i] <= kLargest);
  }
  if (!valid) throw Error(fmt::format("the rates of Poisson counts must lie in 0..{:g}", kLargest));
  draw_by_inversion(small, trials.u, trials.v, values);
  if (large.size != 0) draw_by_rejection(large, source, number, trials, values);
}

}  // namespace sr
