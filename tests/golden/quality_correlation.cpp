// Correlation with opinions. Tolerances: ../shared/golden/metrics/README.md.

#include <cmath>
#include <set>

#include "case.h"
#include "quality/correlation.h"

namespace golden {
namespace {

using sr::Logistic;

constexpr double kTolerance = 1e-9, kFitTolerance = 1e-4;

sr::Values values_of(const Tensor& tensor) {
  return {tensor.data_ptr<double>(), static_cast<std::size_t>(tensor.numel())};
}

/// The names before the first point of the outputs: the samples.
std::set<std::string> samples_of(const Case& recorded) {
  std::set<std::string> samples;
  for (const auto& name : recorded.outputs()) samples.insert(name.substr(0, name.find('.')));
  return samples;
}

/// The sum of squares and what follows from it: a little worse than the reference's, or any better (it walks
/// from one start only). Parameters and curves are hardly determined where the sum is nearly flat.
void compare_fit(const Case& recorded, Report& report, const std::string& fit, Logistic curve,
                 const Tensor& x, const Tensor& y) {
  const auto fitted = sr::fit_logistic(values_of(x), values_of(y), curve);
  const double expected = recorded.out(fit + ".sse").item<double>();
  report.compare(fit + ".sse", std::max(fitted.squared_error, expected), expected, kFitTolerance * expected);
  const double plcc = recorded.out(fit + ".plcc").item<double>();
  report.compare(fit + ".plcc", std::min(sr::plcc(fitted.fitted, values_of(y)), plcc), plcc, kFitTolerance);
  if (recorded.has("out." + fit + ".rmse")) {
    const double rmse = recorded.out(fit + ".rmse").item<double>();
    report.compare(fit + ".rmse", std::max(sr::rmse(fitted.fitted, values_of(y)), rmse), rmse,
                   kFitTolerance * rmse);
  }
  for (const auto* rest : {".betas", ".p0", ".yhat"}) recorded.leave(fit + rest);
}

void check_sample(const Case& recorded, Report& report, const std::string& sample) {
  const Tensor x = recorded.in(sample + ".x"), y = recorded.in(sample + ".y");
  const auto compare = [&](const std::string& name, double actual) {
    const double expected = recorded.out(sample + '.' + name).item<double>();
    report.compare(sample + '.' + name, actual, expected, kTolerance * std::max(1.0, std::abs(expected)));
  };
  compare("plcc", sr::plcc(values_of(x), values_of(y)));
  compare("srcc", sr::srcc(values_of(x), values_of(y)));
  compare("krcc", sr::krcc(values_of(x), values_of(y)));
  compare("rmse", sr::rmse(values_of(x), values_of(y)));
  const auto has = [&](const std::string& fit) { return recorded.has("out." + fit + ".sse"); };
  const std::string four = sample + ".logistic4", five = sample + ".logistic5_good_start";
  if (has(four)) compare_fit(recorded, report, four, Logistic::four, x, y);
  if (has(five)) compare_fit(recorded, report, five, Logistic::five, x, y);
  // From its own start the reference mostly ends in a straight line.
  const std::string astray = sample + ".logistic5";
  if (!has(astray)) return;
  const auto fitted = sr::fit_logistic(values_of(x), values_of(y), Logistic::five);
  const double expected = recorded.out(astray + ".sse").item<double>();
  report.require(astray + ".sse", fitted.squared_error <= (1 + kFitTolerance) * expected);
  for (const auto* rest : {".betas", ".p0", ".yhat", ".plcc", ".rmse"}) recorded.leave(astray + rest);
}

void check_correlation(const Case& recorded, Report& report) {
  for (const auto& sample : samples_of(recorded)) check_sample(recorded, report, sample);
}

}  // namespace

void add_correlation_handlers(Handlers& handlers) { handlers["correlation"] = check_correlation; }

}  // namespace golden
