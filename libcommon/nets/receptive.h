#pragma once
// How far an output pixel sees, followed from the output back to the input.

#include <cstdint>
#include <vector>

namespace sr {

/// The layers between a network's output and its input, told from the last to the first.
class ReceptiveRadius {
 public:
  /// Convolutions (one after another) with an odd kernel.
  ReceptiveRadius& conv(int64_t kernel = 3, int64_t times = 1) { return reach(kernel / 2 * times); }
  /// Anything that sees this many pixels to each side.
  ReceptiveRadius& reach(int64_t pixels);
  /// Nearest-neighbour enlargement, a pixel shuffle, or a transposed convolution whose stride is its kernel:
  /// output pixel p comes from input pixel floor(p / factor).
  ReceptiveRadius& enlarge(int64_t factor);
  /// A pixel unshuffle: one pixel comes from a block of factor x factor.
  ReceptiveRadius& unshuffle(int64_t factor);

  /// The radius in input pixels, exactly: the largest over all places that an output pixel can have relative
  /// to the enlargements' and unshuffles' grids.
  int pixels() const;

 private:
  enum class Kind { reach, enlarge, unshuffle };
  struct Step {
    Kind kind;
    int64_t amount;
  };
  struct Interval {
    int64_t first, last;
  };

  static Interval before(const Step& step, Interval seen);

  std::vector<Step> steps_;
};

}  // namespace sr
