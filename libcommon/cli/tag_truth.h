#pragma once
// What pictures truly show, by classes.

#include <map>
#include <set>
#include <string>
#include <vector>

namespace sr {

struct TagTruth {
  std::vector<std::string> classes;
  std::vector<std::string> names;        ///< of the pictures, each once
  std::vector<std::set<size_t>> labels;  ///< of each picture, indices of classes
};

/// Reads COCO's annotations of instances as they come (instances_val2017.json: `categories`, `images`,
/// `annotations`; crowds count, segmentations are passed over), or a file as `read_tag_file` does, whose
/// classes are all tags in it. "-": standard input. Throws UsageError.
TagTruth read_tag_truth(const std::string& path);

/// Other words for classes, lines "class<TAB>tag": from tags to classes. Throws UsageError.
std::map<std::string, std::string> read_synonyms(const std::string& path);

}  // namespace sr
