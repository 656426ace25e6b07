#pragma once
// RAM's tags: their names, and how probable each must be. Source: cswry/SeeSR ram/models/ram_lora.py RAMLora,
// generate_tag, load_tag_list (@8edecc7).

#include <string>
#include <vector>

#include "core/files.h"
#include "core/torch.h"

namespace sr {

struct TagList {
  std::vector<std::string> names;  ///< in the network's order
  Tensor thresholds;               ///< float32 [names]: a tag is there if its probability is above

  int64_t size() const { return static_cast<int64_t>(names.size()); }
};

/// From ram_tag_list.txt (or another language's) and ram_tag_list_threshold.txt, one tag a line in both.
/// Throws Error that names the file, and the line where one is no number or empty.
TagList read_tag_list(const fs::path& names, const fs::path& thresholds);

/// Throws Error unless the list has as many tags as the network knows.
void check_tag_list(const TagList& tags, int64_t classes);

/// Logits of any shape as probabilities, float32 whatever the network's precision.
Tensor tag_probabilities(const Tensor& logits);

/// The indices of the tags that an image has, ascending: probabilities [tags] > thresholds, both float32.
std::vector<size_t> present_tags(const Tensor& probabilities, const Tensor& thresholds);

/// The indices of the `count` most probable tags (of all, where there are fewer), the most probable first;
/// equal ones in the list's order.
std::vector<size_t> most_probable_tags(const Tensor& probabilities, size_t count);

/// "bird, branch, tree": what SeeSR's prompt begins with.
std::string joined_tags(const TagList& tags, const std::vector<size_t>& present);

}  // namespace sr
