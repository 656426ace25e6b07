#include <cmath>
#include <doctest.h>
#include <random>

#include "core/error.h"
#include "quality/correlation.h"

using sr::fit_logistic;
using sr::Logistic;

namespace {

using Numbers = std::vector<double>;

/// `n` integers below `bound`, so that there are ties.
Numbers tied_numbers(std::size_t n, int bound, unsigned seed) {
  std::mt19937 random(seed);
  Numbers numbers(n);
  for (double& number : numbers) number = static_cast<double>(random() % bound);
  return numbers;
}

/// Tau-b as it is defined, over all pairs.
double tau_by_pairs(const Numbers& x, const Numbers& y) {
  double surplus = 0, apart_x = 0, apart_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double a = x[i] - x[j], b = y[i] - y[j];
      surplus += (a * b > 0) - (a * b < 0);
      apart_x += a != 0;
      apart_y += b != 0;
    }
  }
  return surplus / std::sqrt(apart_x * apart_y);
}

double four(double x) { return (90 - 10) / (1 + std::exp(-(x - 5) / 0.7)) + 10; }
double five(double x) { return 60 * (0.5 - 1 / (1 + std::exp(-1.3 * (x - 4)))) + 2 * x + 20; }

/// Points of a curve over [0, 10), and noise that two runs share.
std::pair<Numbers, Numbers> points_of(double (*curve)(double), std::size_t n, double noise) {
  std::mt19937 random(7);
  Numbers x(n), y(n);
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = 10.0 * static_cast<double>(i) / static_cast<double>(n);
    y[i] = curve(x[i]) + noise * (static_cast<double>(random() % 2001) / 1000 - 1);
  }
  return {x, y};
}

}  // namespace

TEST_CASE("ranks share the mean of those they tie for") {
  CHECK(sr::mean_ranks(Numbers{30, 10, 20, 10}) == Numbers{4, 1.5, 3, 1.5});
  CHECK(sr::mean_ranks(Numbers{}).empty());
}

TEST_CASE("tau-b counts all pairs, with ties") {
  for (const std::size_t n : {2, 3, 17, 64, 100, 257}) {
    for (const int bound : {3, 10, 100000}) {
      const Numbers x = tied_numbers(n, bound, 1), y = tied_numbers(n, bound, 2);
      const double expected = tau_by_pairs(x, y);
      if (std::isnan(expected)) continue;
      CHECK(sr::krcc(x, y) == doctest::Approx(expected).epsilon(1e-12));
      CHECK(sr::krcc(x, x) == doctest::Approx(1).epsilon(1e-12));
    }
  }
}

TEST_CASE("correlations see order, direction and scale as they should") {
  const Numbers x{1, 2, 3, 4, 5}, cubes{1, 8, 27, 64, 125}, falling{5, 4, 3, 2, 1};
  CHECK(sr::srcc(x, cubes) == 1);
  CHECK(sr::krcc(x, cubes) == 1);
  CHECK(sr::plcc(x, cubes) < 0.95);
  CHECK(sr::plcc(x, falling) == doctest::Approx(-1).epsilon(1e-15));
  CHECK(sr::krcc(x, falling) == -1);
  CHECK(sr::rmse(x, x) == doctest::Approx(1e-4));
  const Numbers huge{1e200, 2e200, 3e200, 4e200, 5e200};
  CHECK(sr::plcc(huge, x) == doctest::Approx(1).epsilon(1e-15));
}

TEST_CASE("constant values have no correlation and no curve") {
  const Numbers x{1, 2, 3, 4, 5, 6}, flat(6, 0.1);
  CHECK(sr::is_constant(flat));
  CHECK_FALSE(sr::is_constant(x));
  CHECK(std::isnan(sr::plcc(x, flat)));
  CHECK(std::isnan(sr::srcc(flat, x)));
  CHECK(std::isnan(sr::krcc(x, flat)));
  CHECK_THROWS_WITH_AS(fit_logistic(x, flat, Logistic::four), doctest::Contains("constant"), sr::Error);
}

TEST_CASE("what is not finite, too few or unequal is an error") {
  const Numbers x{1, 2, 3, 4}, broken{1, std::nan(""), 3, 4}, endless{1, 2, INFINITY, 4};
  CHECK_THROWS_AS(sr::plcc(x, broken), sr::Error);
  CHECK_THROWS_AS(sr::srcc(endless, x), sr::Error);
  CHECK_THROWS_AS(sr::krcc(x, Numbers{1, 2}), sr::Error);
  CHECK_THROWS_AS(sr::plcc(Numbers{1}, Numbers{1}), sr::Error);
  CHECK_THROWS_WITH_AS(fit_logistic(x, x, Logistic::five), doctest::Contains("5 parameters"), sr::Error);
}

TEST_CASE("curves are found again") {
  const auto [x, y] = points_of(four, 50, 0);
  const auto fit = fit_logistic(x, y, Logistic::four);
  CHECK(fit.squared_error < 1e-12);
  const Numbers expected{90, 10, 5, 0.7};
  for (std::size_t i = 0; i < 4; ++i) CHECK(fit.parameters[i] == doctest::Approx(expected[i]).epsilon(1e-6));
  const auto [u, v] = points_of(five, 50, 0);
  CHECK(fit_logistic(u, v, Logistic::five).squared_error < 1e-12);
}

TEST_CASE("a curve far from the usual start is found") {
  // all but a few scores are crowded below 1; the curve turns among the few
  Numbers x, y;
  for (int i = 0; i < 400; ++i) {
    x.push_back(i < 300 ? i / 300.0 : 4 + 0.1 * (i - 300));
    y.push_back(4 / (1 + std::exp(-2 * (x.back() - 9))));
  }
  CHECK(fit_logistic(x, y, Logistic::five).squared_error < 1e-6);
}

TEST_CASE("units don't matter, and neither does a second run") {
  auto [x, y] = points_of(five, 10073, 8);
  const auto fit = fit_logistic(x, y, Logistic::five);
  CHECK(fit_logistic(x, y, Logistic::five).fitted == fit.fitted);
  const double straight = std::pow(sr::plcc(x, y), 2), curved = std::pow(sr::plcc(fit.fitted, y), 2);
  CHECK(curved > straight);
  for (double& value : x) value = value * 1e-5 + 3;
  for (double& value : y) value = value * 1e4 - 7;
  const auto scaled = fit_logistic(x, y, Logistic::five);
  CHECK(scaled.squared_error == doctest::Approx(fit.squared_error * 1e8).epsilon(1e-6));
}
