#pragma once
// The scores of many files: rows in the files' order as soon as they can be written, then the summary.

#include <mutex>
#include <string>
#include <vector>

#include "cli/score_table.h"

namespace sr {

using Scores = std::vector<Score>;  ///< one a column

class ScoreSheet {
 public:
  /// `table` must outlive the sheet; `names` are its labels.
  ScoreSheet(ScoreTable& table, std::vector<std::string> names, size_t columns);

  /// The scores of file `i`, or none where it failed. Safe from several threads.
  void put(size_t i, std::optional<Scores> scores);

  size_t measured() const;  ///< files with scores
  bool complete() const { return measured() == names_.size(); }
  /// Of each column over the files that have a score in it.
  Scores mean() const;
  /// Sample standard deviation (n - 1 in the denominator); none where a column has fewer than two scores.
  Scores deviation() const;

 private:
  ScoreTable& table_;
  std::vector<std::string> names_;
  size_t columns_;
  std::mutex mutex_;
  std::vector<std::optional<Scores>> scores_;
  std::vector<bool> done_;
  size_t next_ = 0;
};

}  // namespace sr
