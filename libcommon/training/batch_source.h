#pragma once
// The batches of a training run, made ahead of the network on threads of their own.
//
// Everything about sample j of iteration n is a function of (seed, n, j) alone: its picture, crop, turning,
// degradation. So a checkpoint needs no more than the number of the iteration, neither the number of threads
// nor how far they are ahead changes anything, and rank r of R has samples [r B / R, (r + 1) B / R) of the
// batch of B that one rank would have.

#include <memory>
#include <string>
#include <vector>

#include "core/torch.h"
#include "training/data_config.h"
#include "training/repeats.h"

namespace sr {

/// float32 in [0,1], contiguous, in the CPU's memory.
struct TrainingBatch {
  Tensor lr;  ///< [N,3,crop/scale,crop/scale]; of whole pictures, or enlarged: [N,3,crop,crop]
  Tensor hr;  ///< [N,3,crop,crop]
  std::vector<std::string> items = {};     ///< [N]: names of what is drawn for each (core/random.h)
  std::vector<std::string> captions = {};  ///< [N]; empty texts where a source has none
  std::vector<Repeats> repeats = {};       ///< [N]
};

class BatchSource {
 public:
  /// Finds and opens the pictures (a VipsSession must live), makes the cache, and starts on
  /// `first_iteration`. Throws UsageError: see SampleMaker, SamplePlan; a batch that `ranks` doesn't divide;
  /// Interrupted.
  BatchSource(const DataConfig& config, std::int64_t first_iteration, int rank = 0, int ranks = 1);
  /// Stops the threads as soon as each has done its sample.
  ~BatchSource();
  BatchSource(const BatchSource&) = delete;
  BatchSource& operator=(const BatchSource&) = delete;

  /// This rank's share of the next iteration's batch. Throws Error that names the file that broke (the call
  /// after that gives the iteration after), and Interrupted where a signal came.
  TrainingBatch next();

  /// Seconds in which next() had nothing ready.
  double waited_seconds() const;

 private:
  class Loader;
  std::unique_ptr<Loader> loader_;
};

}  // namespace sr
