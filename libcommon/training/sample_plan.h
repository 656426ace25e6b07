#pragma once
// Which picture each sample of each iteration shows: a function of (seed, iteration, place in the batch)
// alone, so that a run's place in its data is the number of its iteration.

#include <cstdint>
#include <string>
#include <vector>

#include "core/random.h"

namespace sr {

struct PlannedSource {
  std::size_t pictures = 0;
  double weight = 1;
};

struct PlannedSample {
  std::string item;  ///< names the sample's random streams
  std::size_t source = 0, picture = 0;
};

/// Every sample draws its source; a source's samples go through its pictures in an order that is shuffled
/// anew each epoch, so that each is seen once an epoch.
class SamplePlan {
 public:
  /// From `first_iteration` on (several sources: in time proportional to it, some 20 ns a sample). Throws
  /// UsageError where there is no source, one is empty, or a weight isn't positive.
  SamplePlan(const std::vector<PlannedSource>& sources, int batch, std::uint64_t seed,
             std::int64_t first_iteration);

  /// The samples of the next iteration, of all ranks.
  std::vector<PlannedSample> next();

 private:
  struct Source {
    std::size_t pictures = 0;
    std::int64_t drawn = 0;            ///< samples so far
    std::int64_t epoch = -1;           ///< that `order` is of
    std::vector<std::uint32_t> order;  ///< of the pictures
  };

  std::size_t draw_source() { return weights_.size() == 1 ? 0 : choices_.choice(weights_); }
  std::size_t next_picture(std::size_t source);
  void shuffle(std::size_t source, std::int64_t epoch);

  std::vector<Source> sources_;
  std::vector<double> weights_;
  int batch_;
  std::uint64_t seed_;
  std::int64_t iteration_;
  RandomStream choices_;  ///< one word of it a sample
};

}  // namespace sr
