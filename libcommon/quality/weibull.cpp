#include "quality/weibull.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/error.h"
#include "core/simd.h"

namespace sr {
namespace {

constexpr int kMostSteps = 50;
constexpr double kLeastChange = 1e-2;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

constexpr std::int64_t kLanes = 16;
using Floats [[gnu::vector_size(kLanes * sizeof(float))]] = float;

/// Sums in float32 run over so many vectors at most.
constexpr std::int64_t kRun = 32;

/// Adds the lanes to a sum.
inline void add_lanes(const Floats& lanes, double& sum) {
  for (std::int64_t lane = 0; lane < kLanes; ++lane) sum += lanes[lane];
}

struct Moments {
  double sum = 0, squares = 0;
};

SR_VECTORISED Moments moments(const float* values, std::int64_t n) {
  Moments moments;
  std::int64_t i = 0;
  while (i + kLanes <= n) {
    Floats sum{}, squares{}, value;
    for (std::int64_t run = 0; run < kRun && i + kLanes <= n; ++run, i += kLanes) {
      std::memcpy(&value, values + i, sizeof value);
      sum += value;
      squares += value * value;
    }
    add_lanes(sum, moments.sum);
    add_lanes(squares, moments.squares);
  }
  for (; i < n; ++i) {
    moments.sum += values[i];
    moments.squares += values[i] * values[i];
  }
  return moments;
}

/// Sums over powers z of the samples, and their products with the samples' logarithms l.
struct PowerSums {
  double z = 0, zl = 0, zll = 0;
};

SR_VECTORISED PowerSums sum_powers(const float* powers, const float* logs, std::int64_t n) {
  PowerSums sums;
  std::int64_t i = 0;
  while (i + kLanes <= n) {
    Floats z{}, zl{}, zll{}, power, log;
    for (std::int64_t run = 0; run < kRun && i + kLanes <= n; ++run, i += kLanes) {
      std::memcpy(&power, powers + i, sizeof power);
      std::memcpy(&log, logs + i, sizeof log);
      z += power;
      zl += power * log;
      zll += power * log * log;
    }
    add_lanes(z, sums.z);
    add_lanes(zl, sums.zl);
    add_lanes(zll, sums.zll);
  }
  for (; i < n; ++i) {
    sums.z += powers[i];
    sums.zl += powers[i] * logs[i];
    sums.zll += powers[i] * logs[i] * logs[i];
  }
  return sums;
}

/// The fit of one row, in steps. The logarithms are taken relative to their mean, which cancels out of
/// Newton's step and keeps the powers near 1.
class Fit {
 public:
  /// Replaces `logs` [samples] by their differences from the mean.
  void start(float* logs, std::int64_t samples) {
    logs_ = logs;
    samples_ = samples;
    const auto count = static_cast<double>(samples);
    mean_ = moments(logs, samples).sum / count;
    largest_ = *std::max_element(logs, logs + samples);
    for (std::int64_t i = 0; i < samples; ++i) logs[i] -= static_cast<float>(mean_);
    shape_ = 1.2 / std::sqrt(moments(logs, samples).squares / (count - 1));
  }

  /// By how much the shape changed.
  double step(Tensor& scratch) {
    if (settled_) return 0;
    if (!representable()) shape_ = kNaN;
    if (std::isnan(shape_)) return kNaN;
    const double before = shape_;
    const PowerSums sums = powers(scratch);
    const double ratio = sums.zl / sums.z;
    const double value = ratio - 1 / shape_;
    const double slope = sums.zll / sums.z - ratio * ratio + 1 / (shape_ * shape_);
    shape_ -= value / slope;
    const double change = std::abs(shape_ - before);
    settled_ = change < 1e-9;
    return change;
  }

  double shape() const { return shape_; }
  double scale(Tensor& scratch) const {
    const double mean_power = powers(scratch).z / static_cast<double>(samples_);
    return std::exp(mean_) * std::pow(mean_power, 1 / shape_);
  }

 private:
  PowerSums powers(Tensor& scratch) const {
    auto* power = scratch.data_ptr<float>();
    const auto shape = static_cast<float>(shape_);
    for (std::int64_t i = 0; i < samples_; ++i) power[i] = shape * logs_[i];
    scratch.exp_();
    return sum_powers(power, logs_, samples_);
  }

  /// Whether the samples' own powers, which the source sums, are numbers of double precision: those of an
  /// almost constant row are not, and the row counts as impossible to fit.
  bool representable() const {
    const double exponent = shape_ * largest_;
    return exponent > -745 && exponent < 709;
  }

  float* logs_ = nullptr;
  std::int64_t samples_ = 0;
  double mean_ = 0, largest_ = 0, shape_ = 0;
  bool settled_ = false;
};

/// Calls work(row, scratch) for every row.
template <typename Work>
void for_rows(std::int64_t rows, std::int64_t samples, const Work& work) {
  at::parallel_for(0, rows, 1, [&](std::int64_t begin, std::int64_t end) {
    Tensor scratch = at::empty({samples}, at::kFloat);
    for (std::int64_t row = begin; row < end; ++row) work(row, scratch);
  });
}

/// NaN where a change is NaN, as torch's max answers.
double largest(const std::vector<double>& changes) {
  double most = 0;
  for (const double change : changes) {
    if (std::isnan(change)) return kNaN;
    most = std::max(most, change);
  }
  return most;
}

}  // namespace

Tensor fit_weibull(const Tensor& logs) {
  if (logs.dim() != 2 || logs.size(1) < 2 || logs.scalar_type() != at::kFloat || !logs.is_contiguous() ||
      !logs.device().is_cpu())
    throw Error("Weibull fits need rows of two float32 samples at least in the CPU's memory");
  const std::int64_t rows = logs.size(0), samples = logs.size(1);
  auto* values = logs.data_ptr<float>();
  std::vector<Fit> fits(static_cast<std::size_t>(rows));
  for_rows(rows, samples,
           [&](std::int64_t row, Tensor&) { fits[row].start(values + row * samples, samples); });
  std::vector<double> changes(fits.size());
  for (int step = 0; step < kMostSteps; ++step) {
    for_rows(rows, samples,
             [&](std::int64_t row, Tensor& scratch) { changes[row] = fits[row].step(scratch); });
    if (largest(changes) < kLeastChange) break;
  }
  Tensor result = at::empty({rows, 2}, at::kDouble);
  auto out = result.accessor<double, 2>();
  for_rows(rows, samples, [&](std::int64_t row, Tensor& scratch) {
    out[row][0] = fits[row].scale(scratch);
    out[row][1] = fits[row].shape();
  });
  return result;
}

}  // namespace sr
