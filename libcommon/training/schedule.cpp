#include "training/schedule.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numbers>

#include "core/error.h"

namespace sr {
namespace {

void check_course(const ConstantRate& /*course*/) {}

void check_course(const MultiStepRate& course) {
  if (!std::is_sorted(course.milestones.begin(), course.milestones.end()))
    throw Error("the milestones of the learning rate must ascend");
  if (course.gamma < 0) throw Error("the factor of the learning rate's milestones can't be negative");
}

void check_course(const CosineRate& course) {
  if (course.periods.empty()) throw Error("a cosine learning rate needs a period");
  for (const int64_t period : course.periods) {
    if (period < 1)
      throw Error(fmt::format("a period of the learning rate is 1 iteration or more, not {}", period));
  }
  if (!course.weights.empty() && course.weights.size() != course.periods.size()) {
    throw Error(fmt::format("the learning rate has {} periods and {} weights for them", course.periods.size(),
                            course.weights.size()));
  }
}

double rate_of(const ConstantRate& /*course*/, double base, int64_t /*iteration*/) { return base; }

double rate_of(const MultiStepRate& course, double base, int64_t iteration) {
  const auto& milestones = course.milestones;
  const auto passed = std::upper_bound(milestones.begin(), milestones.end(), iteration) - milestones.begin();
  return base * std::pow(course.gamma, static_cast<double>(passed));
}

double rate_of(const CosineRate& course, double base, int64_t iteration) {
  int64_t begin = 0;
  for (size_t i = 0; i < course.periods.size(); ++i) {
    const int64_t period = course.periods[i];
    if (iteration <= begin + period) {
      const double weight = course.weights.empty() ? 1 : course.weights[i];
      const double progress = static_cast<double>(iteration - begin) / static_cast<double>(period);
      return course.minimum +
             weight * 0.5 * (base - course.minimum) * (1 + std::cos(std::numbers::pi * progress));
    }
    begin += period;
  }
  return course.minimum;
}

}  // namespace

void Schedule::check() const {
  if (base < 0 || warm_up < 0) throw Error("the learning rate and its warm-up can't be negative");
  std::visit([](const auto& chosen) { check_course(chosen); }, course);
}

double Schedule::rate(int64_t iteration) const {
  if (iteration + 1 < warm_up)
    return base * static_cast<double>(iteration + 1) / static_cast<double>(warm_up);
  return std::visit([&](const auto& chosen) { return rate_of(chosen, base, iteration); }, course);
}

}  // namespace sr
