#pragma once
// How well tags agree with labels. Paper: Wu et al., "SeeSR: Towards Semantics-Aware Real-World Image
// Super-Resolution", CVPR 2024, supplement, Eq. (1): OP = sum over classes of correct predictions / sum over
// classes of predictions, OR = the same / sum over classes of labels. Code held against: cswry/SeeSR
// basicsr/utils/multi_lable.py AveragePrecisionMeter (@8edecc7), which counts a class that is never predicted
// as one prediction in OP; Eq. (1) does not, nor does this code.

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

/// None where a quotient has nothing to divide by.
struct TagScores {
  std::optional<double> op, or_, of1;  ///< of sums over the classes
  std::optional<double> cp, cr, cf1;   ///< of means over them: CP takes a class never predicted as 0, CR
                                       ///< leaves one out that nothing is labelled with
};
/// Overall and per class; the F1 are harmonic means of the two before.
TagScores tag_scores(std::span<const TagCounts> classes);

/// Of one class over all images, whatever was predicted: the mean over its labels of the precision at the
/// threshold that lets each pass. Images of equal probability pass together, where the official code takes
/// them in the order they come. In [0,1]; none where nothing is labelled.
std::optional<double> average_precision(std::span<const TagOutcome> outcomes);

}  // namespace sr
