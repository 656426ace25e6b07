#pragma once
// How well scores agree with opinions: linear (PLCC) and rank correlation (SRCC, KRCC), RMSE, and the
// logistic curves that are fitted between the two before PLCC and RMSE. Sources: chaofengc/IQA-PyTorch
// pyiqa/metrics/correlation_coefficient.py; scipy.stats and scipy.optimize.curve_fit, which it calls. The
// curves are those of VQEG's report of 2000 (four parameters) and of Sheikh, Sabir and Bovik, "A statistical
// evaluation of recent full reference image quality assessment algorithms", 2006 (five).
//
// `x` are scores and `y` opinions in any units, as many of one as of the other. Error where their numbers
// differ, there are fewer than two, or one is not finite.

#include <cstdint>
#include <span>
#include <vector>

namespace sr {

using Values = std::span<const double>;

/// Pearson's linear correlation, in [-1, 1]; NaN where x or y is constant.
double plcc(Values x, Values y);

/// Spearman's rank correlation: PLCC of the ranks, equal values sharing their mean rank; NaN where x or y is
/// constant.
double srcc(Values x, Values y);

/// Kendall's tau-b, which allows for ties; NaN where x or y is constant. O(n log n): Knight, "A Computer
/// Method for Calculating Kendall's Tau with Ungrouped Data", 1966.
double krcc(Values x, Values y);

/// sqrt(mean of (x - y)^2 + 1e-8), pyiqa's.
double rmse(Values x, Values y);

/// All values are equal, as none are: there is no correlation with such.
bool is_constant(Values values);

/// Ranks from 1 on, equal values sharing the mean of theirs.
std::vector<double> mean_ranks(Values values);

enum class Logistic {
  four,  ///< (b1 - b2) / (1 + exp(-(x - b3) / b4)) + b2
  five,  ///< b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5
};

/// The number of the curve's parameters, and so of the points that it takes at least.
constexpr std::int64_t parameters_of(Logistic curve) { return curve == Logistic::four ? 4 : 5; }

struct LogisticFit {
  std::vector<double> parameters;  ///< b1, b2, ...
  std::vector<double> fitted;      ///< the curve at every x
  double squared_error = 0;        ///< the sum over all points
};

/// The curve of least squares between x and y, found by Levenberg-Marquardt from the usual start: largest and
/// smallest y, mean of x and a quarter of its deviation (four); range of y, sign of PLCC over the deviation
/// of x, mean of x, 0, mean of y (five: pyiqa starts the centre at the mean of *y*, mostly ends in a straight
/// line, and is not followed there). Where curves from elsewhere fit much better than what that start leads
/// to, the best of them. Throws Error where x or y is constant or has fewer points than the curve parameters.
LogisticFit fit_logistic(Values x, Values y, Logistic curve);

}  // namespace sr
