#include "cli/score_sheet.h"

#include <algorithm>
#include <cmath>

namespace sr {
namespace {

using Rows = std::vector<std::optional<Scores>>;

std::vector<double> column_of(const Rows& rows, size_t column) {
  std::vector<double> values;
  for (const auto& row : rows) {
    if (row && (*row)[column]) values.push_back(*(*row)[column]);
  }
  return values;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

/// None where a value is infinite, as the PSNR of equal pictures: there is no deviation from that.
Score deviation_of(const std::vector<double>& values) {
  if (values.size() < 2) return std::nullopt;
  const double mean = mean_of(values);
  if (!std::isfinite(mean)) return std::nullopt;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

}  // namespace

ScoreSheet::ScoreSheet(ScoreTable& table, std::vector<std::string> names, size_t columns)
    : table_(table),
      names_(std::move(names)),
      columns_(columns),
      scores_(names_.size()),
      done_(names_.size()) {}

void ScoreSheet::put(size_t i, std::optional<Scores> scores) {
  const std::lock_guard lock(mutex_);
  scores_[i] = std::move(scores);
  done_[i] = true;
  for (; next_ < names_.size() && done_[next_]; next_++) {
    if (scores_[next_]) table_.row({&names_[next_], 1}, *scores_[next_]);
  }
}

size_t ScoreSheet::measured() const {
  return static_cast<size_t>(
      std::count_if(scores_.begin(), scores_.end(), [](const auto& row) { return row.has_value(); }));
}

Scores ScoreSheet::mean() const {
  Scores means;
  for (size_t i = 0; i < columns_; i++) {
    const auto values = column_of(scores_, i);
    means.push_back(values.empty() ? Score() : Score(mean_of(values)));
  }
  return means;
}

Scores ScoreSheet::deviation() const {
  Scores deviations;
  for (size_t i = 0; i < columns_; i++) deviations.push_back(deviation_of(column_of(scores_, i)));
  return deviations;
}

}  // namespace sr
