#include "core/random.h"

#include <array>
#include <cmath>
#include <doctest.h>
#include <limits>
#include <set>
#include <vector>

#include "core/error.h"

using sr::RandomStream;
using Words = std::array<std::uint32_t, 4>;

TEST_CASE("Philox4x32-10 gives the known answers of Random123") {
  CHECK(sr::philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr std::uint32_t ones = 0xffffffff;
  CHECK(sr::philox4x32({ones, ones, ones, ones}, {ones, ones}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(sr::philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("seed, item and purpose each make another stream") {
  std::set<std::uint64_t> first;
  for (const std::uint64_t seed : {0, 1}) {
    for (const char* item : {"", "a", "b", "ab"}) {
      for (const char* purpose : {"", "a", "b", "noise"})
        first.insert(RandomStream(seed, item, purpose).bits(0));
    }
  }
  CHECK(first.size() == 2 * 4 * 4);
}

TEST_CASE("draws are a function of the position") {
  RandomStream stream(7, "a.png", "crop");
  const double first = stream.uniform(), second = stream.uniform();
  CHECK(RandomStream(7, "a.png", "crop").uniform() == first);
  CHECK(static_cast<double>(stream.bits(0) >> 11) * 0x1p-53 == first);
  CHECK(static_cast<double>(stream.bits(1) >> 11) * 0x1p-53 == second);
}

TEST_CASE("the streams never change: recorded draws") {
  RandomStream stream(1, "item", "purpose");
  CHECK(stream.bits(0) == 0x81b96b8bd3a152a6);
  CHECK(stream.integer(0, 999) == 310);
}

TEST_CASE("uniform and normal draws have their moments") {
  RandomStream stream(3, "x", "moments");
  double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0;
  constexpr int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double u = stream.uniform(2, 4), z = stream.normal();
    CHECK_UNARY(u >= 2 && u < 4);
    sum += u, squares += (u - 3) * (u - 3), normal_sum += z, normal_squares += z * z;
  }
  CHECK(sum / n == doctest::Approx(3).epsilon(0.01));
  CHECK(squares / n == doctest::Approx(1.0 / 3).epsilon(0.02));
  CHECK(std::abs(normal_sum / n) < 0.015);
  CHECK(normal_squares / n == doctest::Approx(1).epsilon(0.02));
}

TEST_CASE("integers include both ends, evenly") {
  RandomStream stream(4, "x", "dice");
  std::array<int, 7> counts{};
  for (int i = 0; i < 60000; ++i) ++counts.at(static_cast<std::size_t>(stream.integer(1, 6)));
  CHECK(counts[0] == 0);
  for (std::size_t face = 1; face <= 6; ++face) CHECK(counts[face] == doctest::Approx(10000).epsilon(0.05));
  CHECK(stream.integer(-5, -5) == -5);
  using Limits = std::numeric_limits<std::int64_t>;
  CHECK_NOTHROW(stream.integer(Limits::min(), Limits::max()));
  CHECK_THROWS_AS(stream.integer(2, 1), sr::Error);
}

TEST_CASE("a choice follows its weights") {
  RandomStream stream(5, "x", "choice");
  const std::vector<double> weights = {0, 1, 0, 3, 0};
  std::array<int, 5> counts{};
  for (int i = 0; i < 20000; ++i) ++counts.at(stream.choice(weights));
  CHECK(counts[0] + counts[2] + counts[4] == 0);
  CHECK(counts[3] == doctest::Approx(15000).epsilon(0.03));
  CHECK_THROWS_AS(stream.choice(std::vector<double>{}), sr::Error);
  CHECK_THROWS_AS(stream.choice(std::vector<double>{0, 0}), sr::Error);
  CHECK_THROWS_AS(stream.choice(std::vector<double>{1, -1}), sr::Error);
  CHECK_THROWS_AS(stream.choice(std::vector<double>{std::nan("")}), sr::Error);
}

TEST_CASE("filled tensors are the same for any threads and any division") {
  const RandomStream stream(6, "x", "noise");
  const int threads = at::get_num_threads();
  const auto filled = [&](int count) {
    at::set_num_threads(count);
    sr::Tensor values = at::empty({100003});
    stream.fill_normal(values);
    at::set_num_threads(threads);
    return values;
  };
  const sr::Tensor whole = filled(1);
  CHECK(whole.equal(filled(3)));
  sr::Tensor part = at::empty({1001});
  stream.fill_normal(part, 777);
  CHECK(part.equal(whole.slice(0, 777, 1778)));
  CHECK(std::abs(whole.mean().item<double>()) < 0.01);
  CHECK(whole.std().item<double>() == doctest::Approx(1).epsilon(0.01));
}
