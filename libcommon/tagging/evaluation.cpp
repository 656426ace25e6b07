#include "tagging/evaluation.h"

#include <algorithm>

namespace sr {
namespace {

std::optional<double> share(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

/// Those that were proposed, the most probable first.
std::vector<TagOutcome> ranked(std::span<const TagOutcome> outcomes) {
  std::vector<TagOutcome> proposed;
  for (const auto& outcome : outcomes) {
    if (outcome.probability) proposed.push_back(outcome);
  }
  std::ranges::sort(proposed, [](const auto& a, const auto& b) { return *a.probability > *b.probability; });
  return proposed;
}

/// The counts at every threshold that lets one more probability pass.
std::vector<TagCounts> falling_threshold(const std::vector<TagOutcome>& ranked, std::int64_t labelled) {
  std::vector<TagCounts> points;
  TagCounts counts{.labelled = labelled};
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    ++counts.predicted;
    counts.correct += ranked[i].labelled ? 1 : 0;
    const bool last = i + 1 == ranked.size();
    if (last || *ranked[i + 1].probability != *ranked[i].probability) points.push_back(counts);
  }
  return points;
}

}  // namespace

TagCounts& TagCounts::operator+=(const TagCounts& other) {
  labelled += other.labelled;
  predicted += other.predicted;
  correct += other.correct;
  return *this;
}

std::optional<double> TagCounts::precision() const { return share(correct, predicted); }
std::optional<double> TagCounts::recall() const { return share(correct, labelled); }

TagCounts count_tags(std::span<const TagOutcome> outcomes) {
  TagCounts counts;
  for (const auto& outcome : outcomes) {
    counts.labelled += outcome.labelled ? 1 : 0;
    counts.predicted += outcome.predicted ? 1 : 0;
    counts.correct += outcome.labelled && outcome.predicted ? 1 : 0;
  }
  return counts;
}

std::optional<double> average_precision(std::span<const TagOutcome> outcomes) {
  const std::int64_t labelled = count_tags(outcomes).labelled;
  if (labelled == 0) return std::nullopt;
  const auto points = falling_threshold(ranked(outcomes), labelled);
  double area = 0, best = 0;
  for (std::size_t i = points.size(); i-- > 0;) {
    best = std::max(best, *points[i].precision());
    area += best * (*points[i].recall() - (i > 0 ? *points[i - 1].recall() : 0));
  }
  return area;
}

}  // namespace sr
