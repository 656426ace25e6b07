#pragma once
// Tags of pictures as sr-tag prints them, or as people write them.

#include <optional>
#include <string>
#include <vector>

namespace sr {

/// A tag that somebody gave a picture, or considered.
struct TagGuess {
  std::string tag;
  bool present = true;                ///< above its threshold, where one is said
  std::optional<double> probability;  ///< where it is said
};

using TagGuesses = std::vector<TagGuess>;

struct TagFile {
  std::vector<std::string> names;  ///< of the pictures, each once
  std::vector<TagGuesses> tags;    ///< of each picture
  bool scored = true;              ///< every tag has a probability
};

/// Reads "file<TAB>tag, tag, ..." or "file<TAB>tag<TAB>probability[<TAB>threshold]", headers and lines of
/// facts (`# model: ram`) among them or not, or the JSON lines of both ("-": standard input). Rows of one
/// picture add up. Throws UsageError that names the file, and the line where one is bad.
TagFile read_tag_file(const std::string& path);

/// The same of a file's text; `file` as errors name it.
TagFile parse_tag_file(const std::string& text, const std::string& file);

}  // namespace sr
