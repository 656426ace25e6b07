#include "quality/correlation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "quality/least_squares.h"

namespace sr {
namespace {

void check_pairs(Values x, Values y) {
  if (x.size() != y.size()) {
    throw Error(fmt::format("{} scores cannot be correlated with {} opinions", x.size(), y.size()));
  }
  if (x.size() < 2) throw Error("a correlation takes at least two points");
  const auto finite = [](Values values) {
    return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
  };
  if (!finite(x) || !finite(y)) throw Error("a correlation takes finite values only");
}

double mean_of(Values values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Less their mean, and divided by their norm; the largest is divided out first, so that nothing overflows.
std::vector<double> normalised(Values values) {
  const double mean = mean_of(values);
  std::vector<double> result;
  for (const double value : values) result.push_back(value - mean);
  double largest = 0, sum = 0;
  for (const double value : result) largest = std::max(largest, std::abs(value));
  for (double& value : result) {
    value /= largest;
    sum += value * value;
  }
  for (double& value : result) value /= std::sqrt(sum);
  return result;
}

// --- ranks ---------------------------------------------------------------------------------------

/// The pairs that are possible among `n`.
std::int64_t pairs_of(std::int64_t n) { return n * (n - 1) / 2; }

/// The pairs within runs of what `same(i, i + 1)` says is equal.
template <class Same>
std::int64_t tied_pairs(std::size_t n, const Same& same) {
  std::int64_t pairs = 0, run = 1;
  for (std::size_t i = 1; i <= n; ++i) {
    if (i < n && same(i - 1, i)) {
      ++run;
    } else {
      pairs += pairs_of(std::exchange(run, 1));
    }
  }
  return pairs;
}

/// Sorts `values` and counts the exchanges of neighbours that this takes.
std::int64_t sort_counting(std::vector<double>& values) {
  std::vector<double> merged(values.size());
  std::int64_t exchanges = 0;
  for (std::size_t width = 1; width < values.size(); width *= 2) {
    for (std::size_t start = 0; start < values.size(); start += 2 * width) {
      const std::size_t middle = std::min(start + width, values.size());
      const std::size_t end = std::min(middle + width, values.size());
      std::size_t left = start, right = middle;
      for (std::size_t at = start; at < end; ++at) {
        const bool from_right = left == middle || (right < end && values[right] < values[left]);
        if (from_right) exchanges += static_cast<std::int64_t>(middle - left);
        merged[at] = from_right ? values[right++] : values[left++];
      }
    }
    values.swap(merged);
  }
  return exchanges;
}

// --- curves --------------------------------------------------------------------------------------

Tensor tensor_of(Values values) {
  Tensor tensor = at::empty({static_cast<std::int64_t>(values.size())}, at::kDouble);
  std::copy(values.begin(), values.end(), tensor.data_ptr<double>());
  return tensor;
}

double item(const Tensor& tensor) { return tensor.item<double>(); }

CurveModel four_parameters(const Tensor& x) {
  return [x](const std::vector<double>& b) -> CurveValues {
    const Tensor t = (x - b[2]) / b[3], s = at::sigmoid(t), slope = s * (1 - s) * ((b[0] - b[1]) / b[3]);
    return {s * (b[0] - b[1]) + b[1], at::stack({s, 1 - s, -slope, -slope * t}, 1)};
  };
}

CurveModel five_parameters(const Tensor& x) {
  return [x](const std::vector<double>& b) -> CurveValues {
    const Tensor from_centre = x - b[2], s = at::sigmoid(from_centre * b[1]), slope = s * (1 - s) * b[0];
    return {(s - 0.5) * b[0] + x * b[3] + b[4],
            at::stack({s - 0.5, slope * from_centre, -slope * b[1], x, at::ones_like(x)}, 1)};
  };
}

/// The points, and what starts are made of.
struct Points {
  Tensor x, y;
  double mean = 0, deviation = 0;  ///< of x
};

std::vector<double> usual_start(const Points& points, Logistic curve, double plcc) {
  const double high = item(points.y.max()), low = item(points.y.min());
  if (curve == Logistic::four) return {high, low, points.mean, points.deviation / 4};
  return {high - low, std::copysign(1 / points.deviation, plcc), points.mean, 0, item(points.y.mean())};
}

/// Parameters of the curve that is linear in all but steepness and centre, as numbers of standardised x.
std::vector<double> parameters_at(const Points& points, double steepness, double centre,
                                  const std::vector<double>& linear) {
  const double b2 = steepness / points.deviation, b3 = points.mean + centre * points.deviation;
  const double height = linear[0], level = linear[1];
  if (linear.size() == 2) return {level + height / 2, level - height / 2, b3, 1 / b2};
  const double slope = linear[2] / points.deviation;
  return {height, b2, b3, slope, level - slope * points.mean};
}

/// The best curve among those whose steepness and centre lie on a grid; all other parameters are linear.
std::vector<double> start_on_grid(const Points& points, Logistic curve) {
  constexpr std::array<double, 7> kSteepness = {0.5, 1, 2, 4, 8, 16, 64};
  constexpr int kCentres = 8;  // on either side of the mean
  constexpr double kCentreStep = 0.2;
  const Tensor x = (points.x - points.mean) / points.deviation, ones = at::ones_like(x);
  std::vector<double> best;
  double least = std::numeric_limits<double>::infinity();
  for (const double steepness : kSteepness) {
    for (int i = -kCentres; i <= kCentres; ++i) {
      const Tensor curved = at::sigmoid((x - i * kCentreStep) * steepness) - 0.5;
      const bool sloped = curve == Logistic::five;
      const LinearFit fit =
          fit_linear(sloped ? at::stack({curved, ones, x}, 1) : at::stack({curved, ones}, 1), points.y);
      if (fit.squared_error >= least) continue;
      least = fit.squared_error;
      best = parameters_at(points, steepness, i * kCentreStep, fit.coefficients);
    }
  }
  return best;
}

}  // namespace

double plcc(Values x, Values y) {
  check_pairs(x, y);
  if (is_constant(x) || is_constant(y)) return std::numeric_limits<double>::quiet_NaN();
  const auto a = normalised(x), b = normalised(y);
  return std::clamp(std::inner_product(a.begin(), a.end(), b.begin(), 0.0), -1.0, 1.0);
}

double srcc(Values x, Values y) {
  check_pairs(x, y);
  return plcc(mean_ranks(x), mean_ranks(y));
}

double krcc(Values x, Values y) {
  check_pairs(x, y);
  if (is_constant(x) || is_constant(y)) return std::numeric_limits<double>::quiet_NaN();
  std::vector<std::pair<double, double>> points;
  for (std::size_t i = 0; i < x.size(); ++i) points.emplace_back(x[i], y[i]);
  std::sort(points.begin(), points.end());
  const std::size_t n = points.size();
  std::vector<double> by_x;
  for (const auto& point : points) by_x.push_back(point.second);
  const std::int64_t all = pairs_of(static_cast<std::int64_t>(n));
  const std::int64_t tied_x =
      tied_pairs(n, [&](std::size_t i, std::size_t j) { return points[i].first == points[j].first; });
  const std::int64_t tied_both =
      tied_pairs(n, [&](std::size_t i, std::size_t j) { return points[i] == points[j]; });
  const std::int64_t discordant = sort_counting(by_x);
  const std::int64_t tied_y = tied_pairs(n, [&](std::size_t i, std::size_t j) { return by_x[i] == by_x[j]; });
  const std::int64_t surplus = all - tied_x - tied_y + tied_both - 2 * discordant;
  const double scale = std::sqrt(static_cast<double>(all - tied_x) * static_cast<double>(all - tied_y));
  return std::clamp(static_cast<double>(surplus) / scale, -1.0, 1.0);
}

double rmse(Values x, Values y) {
  check_pairs(x, y);
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return std::sqrt(sum / static_cast<double>(x.size()) + 1e-8);
}

bool is_constant(Values values) {
  return std::all_of(values.begin(), values.end(), [&](double value) { return value == values.front(); });
}

std::vector<double> mean_ranks(Values values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0, end = 0; first < order.size(); first = end) {
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    // the mean of first + 1 ... end
    for (std::size_t i = first; i < end; ++i) ranks[order[i]] = static_cast<double>(first + 1 + end) / 2;
  }
  return ranks;
}

LogisticFit fit_logistic(Values x, Values y, Logistic curve) {
  check_pairs(x, y);
  if (static_cast<std::int64_t>(x.size()) < parameters_of(curve)) {
    throw Error(
        fmt::format("a curve of {} parameters takes as many points, not {}", parameters_of(curve), x.size()));
  }
  if (is_constant(x) || is_constant(y)) throw Error("no curve can be fitted to constant values");
  Points points{tensor_of(x), tensor_of(y)};
  points.mean = item(points.x.mean());
  points.deviation = item(points.x.std(/*unbiased=*/false));
  const CurveModel model = curve == Logistic::four ? four_parameters(points.x) : five_parameters(points.x);
  CurveFit fit = fit_curve(model, points.y, usual_start(points, curve, plcc(x, y)));
  fit = fit_curve(model, points.y, fit.parameters);
  // Curves that fit about as well abound where points are few or scatter much. The usual start decides among
  // them, so that numbers compare with others'; another one is taken where that start went astray.
  constexpr double kMuchBetter = 0.9;
  CurveFit other = fit_curve(model, points.y, start_on_grid(points, curve));
  if (!std::isfinite(fit.squared_error) || other.squared_error < kMuchBetter * fit.squared_error)
    fit = std::move(other);
  const auto* values = fit.values.data_ptr<double>();
  return {std::move(fit.parameters), {values, values + fit.values.numel()}, fit.squared_error};
}

}  // namespace sr
