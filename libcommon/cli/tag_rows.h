#pragma once
// Tags as sr-tag prints them: a row a picture, or a row a tag with its probability; TSV or JSON lines.

#include <string>
#include <vector>

#include "core/records.h"
#include "tagging/tags.h"

namespace sr {

struct TagRowsLayout {
  bool scores = false;  ///< a row a tag: file, tag, probability, threshold
  RecordFormat format = RecordFormat::tsv;
  bool header = true;
  std::string model;  ///< said with the rows
};

class TagRows {
 public:
  /// Writes to standard output, what stands above the rows at once. For what is thrown where writing fails
  /// see RecordWriter.
  TagRows(TagRowsLayout layout, const TagList& tags, Tensor thresholds);

  /// The tags `chosen` of a picture. Without any, TSV has one row of empty cells (in JSON null), so that the
  /// picture is not lost.
  void write(const std::string& name, const Tensor& probabilities, const std::vector<size_t>& chosen);

 private:
  void write_scores(const std::string& name, const Tensor& probabilities, const std::vector<size_t>& chosen);
  void write_list(const std::string& name, const std::vector<size_t>& chosen);

  TagRowsLayout layout_;
  const TagList& tags_;
  Tensor thresholds_;
  RecordWriter records_;
};

}  // namespace sr
