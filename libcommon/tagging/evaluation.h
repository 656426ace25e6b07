#pragma once
// How well tags agree with labels. Paper: Wu et al., "SeeSR: Towards Semantics-Aware Real-World Image
// Super-Resolution", CVPR 2024, supplement, Eq. (1): OP = sum over classes of correct predictions / sum over
// classes of predictions, OR = the same / sum over classes of labels; AP as in detection.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sr {

/// One class on one image.
struct TagOutcome {
  bool labelled = false;              ///< the truth has it
  bool predicted = false;             ///< it was among the tags
  std::optional<double> probability;  ///< none: it was never proposed, at no threshold
};

/// Images that have a class; the sum over classes is what OP and OR are made of.
struct TagCounts {
  std::int64_t labelled = 0, predicted = 0, correct = 0;

  TagCounts& operator+=(const TagCounts& other);
  /// Correct / predicted: OP. None where nothing was predicted.
  std::optional<double> precision() const;
  /// Correct / labelled: OR. None where nothing is labelled.
  std::optional<double> recall() const;
};

TagCounts count_tags(std::span<const TagOutcome> outcomes);

/// Of one class over all images, whatever was predicted: the area under precision over recall as the
/// threshold falls, precision made monotone (each is the best at this recall or a greater one), as PASCAL
/// VOC has it since 2010. Images of equal probability pass the threshold together. In [0,1]; none where
/// nothing is labelled.
std::optional<double> average_precision(std::span<const TagOutcome> outcomes);

}  // namespace sr
