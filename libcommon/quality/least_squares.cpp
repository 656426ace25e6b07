#include "quality/least_squares.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace sr {
namespace {

// MINPACK's constants, and curve_fit's
constexpr double kTolerance = 1.49012e-8;
constexpr double kFirstBound = 100;  ///< of the first step, in lengths of the start
constexpr int kMostSteps = 2000;
const double kRoundOff = std::numeric_limits<double>::epsilon();

Tensor vector_of(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

double length_of(const Tensor& vector) { return vector.norm().item<double>(); }

/// Takes the points out of a problem: a triangle R [n, n] and c [n] with |J b - e|^2 = |R b - c|^2 + a
/// constant for every b, by the modified method of Gram and Schmidt on J [points, n] and e at once, which is
/// as stable as Householder's and streams through memory.
std::pair<Tensor, Tensor> triangle_of(const Tensor& jacobian, const Tensor& errors) {
  const std::int64_t n = jacobian.size(1);
  Tensor columns = at::cat({jacobian.t(), errors.unsqueeze(0)}).contiguous();
  Tensor triangle = at::zeros({n, n + 1}, at::kDouble);
  for (std::int64_t i = 0; i < n; ++i) {
    const double length = length_of(columns[i]);
    if (length == 0) continue;
    const Tensor direction = columns[i] / length;
    Tensor rest = columns.slice(0, i + 1);
    const Tensor along = at::mv(rest, direction);
    rest.sub_(at::outer(along, direction));
    triangle[i][i] = length;
    triangle[i].slice(0, i + 1).copy_(along);
  }
  return {triangle.slice(1, 0, n).contiguous(), triangle.select(1, n).contiguous()};
}

/// A Jacobian whose columns are scaled, by its singular values, with the errors seen along them.
class Linearised {
 public:
  Linearised(const Tensor& jacobian, const Tensor& scale, const Tensor& errors) {
    const auto [triangle, seen] = triangle_of(jacobian / scale, errors);
    Tensor left;
    std::tie(left, singular_, directions_) = at::linalg_svd(triangle, /*full_matrices=*/false);
    along_ = at::mv(left.t(), seen);
    const double least = kRoundOff * static_cast<double>(singular_.numel()) * singular_.max().item<double>();
    determined_ = singular_ > least;
  }

  /// The step, in scaled parameters, that minimises |errors - J step|^2 + damping |step|^2.
  Tensor step(double damping) const {
    const Tensor divisor = singular_ * singular_ + damping;
    const Tensor part = singular_ * along_ / divisor;
    return at::mv(directions_.t(), damping > 0 ? part : at::where(determined_, part, at::zeros_like(part)));
  }

  /// The damping under which the step's length is `bound`, within a tenth of it, starting from `damping`.
  double damping_for(double bound, double damping) const {
    constexpr double kSlack = 0.1;
    constexpr int kMostTries = 10;
    const double gauss_newton = length_of(step(0));
    if (gauss_newton - bound <= kSlack * bound) return 0;
    const bool full_rank = determined_.all().item<bool>();
    double low = full_rank ? newton_step(0, gauss_newton, bound) : 0;
    double high = length_of(singular_ * along_) / bound;
    damping = std::clamp(damping, low, high);
    if (damping == 0) damping = high * bound / gauss_newton;
    for (int i = 0; i < kMostTries; ++i) {
      const double length = length_of(step(damping));
      if (std::abs(length - bound) <= kSlack * bound) break;
      (length > bound ? low : high) = damping;
      damping = std::max(low, damping + newton_step(damping, length, bound));
    }
    return damping;
  }

  /// |J step|^2.
  double predicted(const Tensor& step) const {
    const double length = length_of(singular_ * at::mv(directions_, step));
    return length * length;
  }

 private:
  /// Newton's correction of the damping for 1 / length = 1 / bound.
  double newton_step(double damping, double length, double bound) const {
    const Tensor squares = singular_ * singular_ + damping;
    const Tensor part = singular_ * along_ / squares;
    const double slope = (part * part / squares).sum().item<double>();
    return (length - bound) / bound * length * length / slope;
  }

  Tensor singular_, directions_, along_, determined_;
};

/// The walk's state: where it is, and how far a step may go.
class Walk {
 public:
  Walk(const CurveModel& model, const Tensor& y, std::vector<double> start)
      : model_(model), y_(y), at_(vector_of(start)), fit_{std::move(start), {}, 0} {
    curve_ = model_(fit_.parameters);
    error_ = length_of(curve_.values - y_);
  }

  CurveFit run() {
    bool going = std::isfinite(error_) && error_ > 0;
    for (int steps = 0; going && steps < kMostSteps;) {
      if (!curve_.derivative.isfinite().all().item<bool>()) break;
      rescale();
      const Linearised linear(curve_.derivative, scale_, curve_.values - y_);
      for (bool moved = false; going && !moved && steps < kMostSteps; ++steps)
        std::tie(moved, going) = try_step(linear);
    }
    fit_.values = curve_.values.contiguous();
    fit_.squared_error = std::isfinite(error_) ? error_ * error_ : std::numeric_limits<double>::infinity();
    return std::move(fit_);
  }

 private:
  /// Parameters count by the steepest slope of the curve along them so far.
  void rescale() {
    const Tensor lengths = curve_.derivative.norm(2, 0);
    if (scale_.defined()) {
      scale_ = at::maximum(scale_, lengths);
      return;
    }
    scale_ = at::where(lengths == 0, at::ones_like(lengths), lengths);
    const double length = length_of(scale_ * at_);
    bound_ = length > 0 ? kFirstBound * length : kFirstBound;
  }

  /// How the sum of squares fell, as a share of it, against what was predicted.
  struct Gain {
    double actual, predicted, slope;
    double ratio() const { return predicted == 0 ? 0 : actual / predicted; }
  };

  /// Whether a step was made, and whether more are worth while.
  std::pair<bool, bool> try_step(const Linearised& linear) {
    damping_ = linear.damping_for(bound_, damping_);
    const Tensor step = linear.step(damping_), next = at_ - step / scale_;
    const double length = length_of(step);
    if (first_) bound_ = std::min(bound_, length);
    const std::vector<double> parameters(next.data_ptr<double>(), next.data_ptr<double>() + next.numel());
    CurveValues curve = model_(parameters);
    const double error = length_of(curve.values - y_);
    const Gain gain = gain_of(error, linear.predicted(step), length);
    adjust_bound(gain, error, length);
    const bool moved = gain.ratio() >= 1e-4;
    if (moved) {
      at_ = next;
      fit_.parameters = parameters;
      curve_ = std::move(curve);
      error_ = error;
      first_ = false;
    }
    return {moved, !is_done(gain)};
  }

  Gain gain_of(double error, double predicted, double length) const {
    const double square = error_ * error_, damped = damping_ * length * length;
    // a much larger error, and NaN, count as the loss of everything
    const double actual = 0.1 * error < error_ ? 1 - (error / error_) * (error / error_) : -1;
    return {actual, (predicted + 2 * damped) / square, -(predicted + damped) / square};
  }

  void adjust_bound(const Gain& gain, double error, double length) {
    if (gain.ratio() <= 0.25) {
      double shrink = gain.actual >= 0 ? 0.5 : 0.5 * gain.slope / (gain.slope + 0.5 * gain.actual);
      if (!(0.1 * error < error_) || shrink < 0.1) shrink = 0.1;
      bound_ = shrink * std::min(bound_, length / 0.1);
      damping_ /= shrink;
    } else if (damping_ == 0 || gain.ratio() >= 0.75) {
      bound_ = length / 0.5;
      damping_ *= 0.5;
    }
  }

  bool is_done(const Gain& gain) const {
    const auto settled = [&](double tolerance) {
      return std::abs(gain.actual) <= tolerance && gain.predicted <= tolerance && gain.ratio() <= 2;
    };
    return settled(kTolerance) || bound_ <= kTolerance * length_of(scale_ * at_) || error_ == 0;
  }

  const CurveModel& model_;
  Tensor y_, at_, scale_;
  CurveFit fit_;
  CurveValues curve_;
  double error_ = 0, bound_ = 0, damping_ = 0;
  bool first_ = true;
};

}  // namespace

CurveFit fit_curve(const CurveModel& model, const Tensor& y, std::vector<double> start) {
  return Walk(model, y, std::move(start)).run();
}

LinearFit fit_linear(const Tensor& columns, const Tensor& y) {
  const Linearised linear(columns, at::ones({columns.size(1)}, at::kDouble), y);
  const Tensor solution = linear.step(0);
  const double error = length_of(at::mv(columns, solution) - y);
  return {{solution.data_ptr<double>(), solution.data_ptr<double>() + solution.numel()}, error * error};
}

}  // namespace sr
