#include "training/trainable.h"

#include <ATen/CPUGeneratorImpl.h>
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "core/random.h"

namespace sr {

void StepReport::add(const LossTerms& terms, double share) {
  for (const auto& [name, term] : terms) {
    const double value = term.item<double>();
    if (!std::isfinite(value)) throw Error(fmt::format("the loss '{}' became {}", name, value));
    const auto known = std::find_if(losses.begin(), losses.end(),
                                    [&, key = name](const auto& entry) { return entry.first == key; });
    if (known == losses.end()) {
      losses.emplace_back(name, value * share);
    } else {
      known->second += value * share;
    }
  }
}

void StepReport::take_means(ProcessGroup* group) {
  if (group == nullptr) return;
  std::vector<double> values;
  for (const auto& [name, value] : losses) values.push_back(value);
  values = group->mean(values);
  for (size_t i = 0; i < values.size(); i++) losses[i].second = values[i];
}

double share_of(const Tensor& part, const Tensor& batch) {
  return static_cast<double>(part.size(0)) / static_cast<double>(batch.size(0));
}

at::Generator weight_draws(std::uint64_t seed) {
  return at::make_generator<at::CPUGeneratorImpl>(RandomStream(seed, "training", "weights").bits(0));
}

void seed_network_draws(std::uint64_t seed, std::int64_t iteration, const ProcessGroup* group) {
  const int rank = group == nullptr ? 0 : group->rank();
  const auto purpose = rank == 0 ? std::string("network") : fmt::format("network of rank {}", rank);
  torch::manual_seed(RandomStream(seed, std::to_string(iteration), purpose).bits(0));
}

}  // namespace sr
