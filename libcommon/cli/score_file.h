#pragma once
// Scores of pictures as sr-iqa prints them: TSV with `# fact: ...` lines above the header, or a JSON object a
// line. Several such files may follow each other, as shards that `cat` joined.

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sr {

struct ScoreFile {
  std::vector<std::string> names;  ///< of the pictures
  /// The columns of numbers, in their order; none where a field is empty or null.
  std::vector<std::pair<std::string, std::vector<std::optional<double>>>> measures;
  std::map<std::string, std::vector<std::string>> labels;  ///< all other columns
};

/// Reads either form ("-": standard input). Text: the first line that doesn't begin with # is the header;
/// below it such a line is a picture's where it has as many fields. The rows `mean` and `std` at a table's
/// end are left out. JSON: the key `file` names the picture (`mean` and `std` are left out, since no line
/// tells where a table ends); numbers, null, "inf", "-inf" and "nan" are scores, and columns with any other
/// text are labels. Throws UsageError that names the file, and the line where one is bad.
ScoreFile read_score_file(const std::string& path);

}  // namespace sr
