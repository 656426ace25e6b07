#pragma once
// Results as people look at them: one HTML page that holds all it needs (share/report/report.html is its
// template), with a table that sorts, and for every pair a slider and an error map.
//
// The page says beside a picture how it is stored (see page.h).

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/page.h"

namespace sr {

struct ReportColumn {
  std::string name;
  bool higher_is_better;
  int digits;  ///< after the point
};

struct ReportHead {
  std::string title;                  ///< "results/ against Set5/HR/", say
  std::string side_a;                 ///< labels of the slider's halves
  std::string side_b;                 ///< empty: there are no references, the page shows one picture a row
  std::vector<ReportColumn> columns;  ///< none: pictures alone
  std::vector<std::pair<std::string, std::string>> facts;  ///< protocol lines, shown under the title
};

/// One a column; nullopt: no value.
using ReportScores = std::vector<std::optional<double>>;

/// A page in the making. Its file takes its name in `finish`; without that nothing is left behind.
class Report {
 public:
  /// Opens `file` before anything is measured. Throws UsageError where it can't be written, or is "-".
  Report(const fs::path& file, ReportHead head);

  /// A row and its pictures, [3,H,W] or [1,H,W] float in [0,1] (values beyond are clamped); `b` of a's height
  /// and width, undefined without reference. `index` is the row's place in the order found, by which rows are
  /// listed; each is given once. May be called from several threads. Throws Error.
  void add(size_t index, const std::string& name, const ReportScores& scores, const Tensor& a,
           const Tensor& b);

  /// The summary rows, such as "mean" (which the head shows large, and the bars as a line) and "std"; and the
  /// end. Throws Error.
  void finish(const std::vector<std::pair<std::string, ReportScores>>& summary);

 private:
  ReportHead head_;
  Page page_;
};

}  // namespace sr
