#pragma once
// Scores of many files as a table, and as a page: what sr-metrics and sr-iqa share.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cli/batch.h"
#include "cli/measures.h"
#include "cli/score_sheet.h"
#include "core/torch.h"

namespace sr {

struct ScoringOptions {
  TableOptions table;
  bool stats = false;  ///< a row of deviations below the mean
  std::string report;  ///< a page to write beside the table; empty: none
  int threads = 0;
  BatchOptions batch{"", 0};
};

/// --stats, --report, tables, threads and batches.
void add_scoring_options(Program& program, ScoringOptions& options);

/// What came of one file.
struct ScoredFile {
  Scores scores;
  Tensor picture, reference;  ///< values 0..255 [C,H,W] for the page; `reference` may be undefined
};

/// What there is to score.
struct ScoringTask {
  std::vector<std::string> names;  ///< of the rows
  /// By which an error of file `i` is told.
  std::function<Named(size_t)> error_names;
  std::vector<Measure> measures;
  std::vector<std::pair<std::string, std::string>> facts = {};  ///< beside the measures' protocols
  /// Reads and scores file `i`, on one of several threads; what it throws is that file's failure.
  std::function<ScoredFile(size_t)> score;
  /// Puts into the mean what is of the whole set.
  std::function<void(Scores&)> complete = {};
  std::string side_a = {}, side_b = {};  ///< of the page's sliders
};

/// The format that the options ask for.
ScoreTableLayout table_layout(const TableOptions& options, std::vector<std::string> labels,
                              const std::vector<Measure>& measures);

/// Prints a row a file and the mean. The status says whether every file had scores.
ExitStatus score_files(Program& program, const ScoringOptions& options, const ScoringTask& task);

}  // namespace sr
