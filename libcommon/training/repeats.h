#pragma once
// Which samples come again as they were, so that what was reckoned of them can be kept.

namespace sr {

/// Which halves of a sample are the same, but for their turning, whenever its picture comes: whole pictures,
/// to which nothing random is done.
struct Repeats {
  bool hr = false, lr = false;
};

}  // namespace sr
