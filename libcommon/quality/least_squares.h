#pragma once
// Curves of least squares: J. J. Moré, "The Levenberg-Marquardt algorithm: implementation and theory", 1978,
// the method of MINPACK and so of scipy.optimize.curve_fit, here by singular values.

#include <functional>
#include <vector>

#include "core/torch.h"

namespace sr {

/// A curve at given parameters, in float64.
struct CurveValues {
  Tensor values;      ///< [points]
  Tensor derivative;  ///< [points, parameters], by each parameter
};

using CurveModel = std::function<CurveValues(const std::vector<double>&)>;

struct CurveFit {
  std::vector<double> parameters;
  Tensor values;             ///< [points], the curve
  double squared_error = 0;  ///< infinite where the curve is not finite at the start
};

/// Walks from `start` to a curve from which the sum of squared errors against `y` [points] falls no more.
CurveFit fit_curve(const CurveModel& model, const Tensor& y, std::vector<double> start);

struct LinearFit {
  std::vector<double> coefficients;
  double squared_error = 0;
};

/// The least `coefficients` whose sum of `columns` [points, coefficients] comes nearest to `y` [points].
LinearFit fit_linear(const Tensor& columns, const Tensor& y);

}  // namespace sr
