#include "tagging/evaluation.h"

#include <algorithm>

namespace sr {
namespace {

std::optional<double> share(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

std::optional<double> harmonic_mean(std::optional<double> a, std::optional<double> b) {
  if (!a || !b || *a + *b == 0) return std::nullopt;
  return 2 * *a * *b / (*a + *b);
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

TagScores tag_scores(std::span<const TagCounts> classes) {
  TagCounts total;
  double precisions = 0, recalls = 0;
  std::int64_t labelled = 0;
  for (const auto& counts : classes) {
    total += counts;
    precisions += counts.precision().value_or(0);
    recalls += counts.recall().value_or(0);
    labelled += counts.labelled > 0 ? 1 : 0;
  }
  TagScores scores;
  scores.op = total.precision();
  scores.or_ = total.recall();
  if (!classes.empty()) scores.cp = precisions / static_cast<double>(classes.size());
  if (labelled > 0) scores.cr = recalls / static_cast<double>(labelled);
  scores.of1 = harmonic_mean(scores.op, scores.or_);
  scores.cf1 = harmonic_mean(scores.cp, scores.cr);
  return scores;
}

std::optional<double> average_precision(std::span<const TagOutcome> outcomes) {
  const std::int64_t labelled = count_tags(outcomes).labelled;
  if (labelled == 0) return std::nullopt;
  double area = 0, reached = 0;
  for (const TagCounts& point : falling_threshold(ranked(outcomes), labelled)) {
    area += *point.precision() * (*point.recall() - reached);
    reached = *point.recall();
  }
  return area;
}

}  // namespace sr
