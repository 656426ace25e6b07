#pragma once
// Scores as people and programs read them: TSV, JSON lines, Markdown, LaTeX (booktabs).
//
// Columns are labels (text) and then scores. TSV and JSON hold numbers in full, as core/records.h says; the
// other two round them, mark each column with the direction that is better, and set off the summary. A score
// that there is none of is an empty cell (null in JSON).

#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/records.h"

namespace sr {

enum class TableFormat { tsv, json, md, latex };

/// "tsv", "json", "md" or "latex"; throws UsageError otherwise.
TableFormat table_format(std::string_view name);

struct ScoreColumn {
  std::string name;
  std::optional<bool> higher_is_better;  ///< none: no arrow
  int digits = 4;                        ///< after the point, where they are rounded
};

struct ScoreTableLayout {
  std::vector<std::string> labels;  ///< "file"
  std::vector<ScoreColumn> columns;
  /// What holds for all rows: comment lines, or fields of every JSON object ("NAME_fact" where a column has
  /// the name).
  std::vector<std::pair<std::string, std::string>> facts;
  TableFormat format = TableFormat::tsv;
  bool header =
      true;  ///< false leaves out the header line of TSV, and all but the rows of Markdown and LaTeX
};

using Score = std::optional<double>;

class ScoreTable {
 public:
  /// `out` stays open and must outlive the table. Writes what stands above the rows. `name` and what is
  /// thrown where writing fails: see RecordWriter.
  ScoreTable(std::FILE* out, std::string name, ScoreTableLayout layout);

  /// A row, written at once.
  void row(std::span<const std::string> labels, std::span<const Score> scores);
  /// Its last rows, such as the mean.
  void summary(std::span<const std::string> labels, std::span<const Score> scores);
  /// Writes what stands below the rows.
  void finish();

 private:
  std::string text_row(std::span<const std::string> labels, std::span<const Score> scores) const;

  std::FILE* out_;
  std::string name_;
  ScoreTableLayout layout_;
  std::optional<RecordWriter> records_;  ///< TSV and JSON
  bool in_summary_ = false;
};

}  // namespace sr
