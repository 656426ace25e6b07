#pragma once
// Which of its tags a picture is said to have.

#include <vector>

#include "cli/program.h"
#include "tagging/tags.h"

namespace sr {

struct TagChoice {
  double threshold = -1;  ///< of all tags alike; below 0: each has its own
  int top = 0;            ///< the most probable ones, so many; 0: all above their thresholds
};

void add_tag_choice_options(Program& program, TagChoice& choice);

/// The thresholds that hold, float32 [tags].
Tensor chosen_thresholds(const TagList& tags, const TagChoice& choice);

/// The tags of a picture by their indices: those above `thresholds`, in the list's order; or the most
/// probable, whatever thresholds they have of their own, but above one that was asked for.
std::vector<size_t> chosen_tags(const Tensor& probabilities, const Tensor& thresholds,
                                const TagChoice& choice);

}  // namespace sr
