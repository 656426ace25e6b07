#pragma once
// Results as people look at them: one HTML page that holds all it needs (share/report/report.html is its
// template), with a table that sorts, and for every pair a slider and an error map.
//
// Pictures of up to 2^21 pixels (Full HD) are stored lossless, as PNG of 8 bits; larger ones as JPEG (quality
// 95, colours in full), beyond 2^24 pixels or 2^14 a side shrunk by a whole factor first, since not every
// browser draws larger ones. The page says so beside such a picture. The bytes don't depend on the order in
// which rows are added, and memory holds the pictures that are being added, no others.

#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/atomic_file.h"
#include "core/torch.h"

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
  using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
  struct Part {
    long offset, length;  ///< bytes
  };
  void write(const File& file, std::string_view text) const;
  void copy(const Part& part, const File& page) const;

  ReportHead head_;
  std::string template_;
  AtomicFile page_;
  File rows_;  ///< nameless: rows as they come, until `finish` puts them in order
  std::map<size_t, Part> parts_;
  std::mutex mutex_;
};

}  // namespace sr
