#include "training/sample_plan.h"

#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>

#include "core/error.h"

namespace sr {

SamplePlan::SamplePlan(const std::vector<PlannedSource>& sources, int batch, std::uint64_t seed,
                       std::int64_t first_iteration)
    : batch_(batch), seed_(seed), iteration_(first_iteration), choices_(seed, "", "sources") {
  if (sources.empty()) throw UsageError("there is nothing to train on: no source of pictures");
  for (const auto& [pictures, weight] : sources) {
    if (pictures == 0 || pictures > std::numeric_limits<std::uint32_t>::max())
      throw UsageError(fmt::format("a training source of {} pictures", pictures));
    if (!(weight > 0) || !std::isfinite(weight))
      throw UsageError(fmt::format("a training source's weight must be above 0, not {}", weight));
    sources_.push_back({pictures, 0, -1, {}});
    weights_.push_back(weight);
  }
  const auto before = first_iteration * batch;
  if (sources_.size() == 1) {
    sources_[0].drawn = before;
  } else {
    for (std::int64_t i = 0; i < before; i++) sources_[draw_source()].drawn++;
  }
}

std::vector<PlannedSample> SamplePlan::next() {
  std::vector<PlannedSample> samples;
  samples.reserve(static_cast<size_t>(batch_));
  for (int i = 0; i < batch_; i++) {
    const auto source = draw_source();
    samples.push_back({fmt::format("iteration {} sample {}", iteration_, i), source, next_picture(source)});
  }
  iteration_++;
  return samples;
}

std::size_t SamplePlan::next_picture(std::size_t source) {
  auto& from = sources_[source];
  const auto count = static_cast<std::int64_t>(from.pictures);
  const auto number = from.drawn++;
  if (from.epoch != number / count) shuffle(source, number / count);
  return from.order[static_cast<size_t>(number % count)];
}

void SamplePlan::shuffle(std::size_t source, std::int64_t epoch) {
  auto& order = sources_[source].order;
  order.resize(sources_[source].pictures);
  std::iota(order.begin(), order.end(), 0U);
  RandomStream stream(seed_, fmt::format("source {} epoch {}", source, epoch), "order");
  for (size_t i = order.size(); i > 1; i--) {
    std::swap(order[i - 1], order[static_cast<size_t>(stream.integer(0, static_cast<std::int64_t>(i) - 1))]);
  }
  sources_[source].epoch = epoch;
}

}  // namespace sr
