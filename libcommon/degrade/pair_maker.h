#pragma once
// Training pairs on the fly: batches of HR pictures are degraded as they are trained on.
// Source: xinntao/Real-ESRGAN realesrgan/models/realesrgan_model.py feed_data, _dequeue_and_enqueue.

#include <optional>

#include "core/random.h"
#include "degrade/pipeline.h"

namespace sr {

/// HR [N,3,H,W] and LR [N,3,H/scale,W/scale] in [0,1].
struct TrainingPairs {
  Tensor hr, lr;
};

/// The same random square of `hr_size` HR pixels (a multiple of `scale`) of every sample. Throws Error where
/// the pictures are smaller.
TrainingPairs paired_crop(const TrainingPairs& pairs, std::int64_t hr_size, int scale, RandomStream& stream);

/// A pool that mixes the samples of several batches, since those of one batch share sizes and operators.
/// Until it is full batches pass as they come; then each sample is exchanged for one of the pool's at random.
class PairPool {
 public:
  /// Throws Error unless `capacity` > 0.
  explicit PairPool(std::int64_t capacity);
  TrainingPairs exchange(const TrainingPairs& pairs, RandomStream& stream);
  std::int64_t filled() const { return filled_; }

 private:
  std::int64_t capacity_, filled_ = 0;
  TrainingPairs pool_;
};

struct PairMakerOptions {
  std::int64_t hr_size = 256;  ///< of the crop after degrading, which takes the borders off; 0: none
  std::int64_t pool = 0;       ///< capacity of the pool (Real-ESRGAN: 180); 0: none
  std::uint64_t seed = 0;
};

/// From HR batches to training pairs. Everything is drawn from (seed, step): the same steps in the same order
/// give the same pairs.
class PairMaker {
 public:
  /// Throws Error unless the pipeline's scale is whole.
  PairMaker(Pipeline pipeline, const PairMakerOptions& options);
  /// `hr` [N,3,H,W] on any device; sides are cut to multiples of the scale. The HR half is sharpened where
  /// the pipeline's pairs are; mirroring is left to who loads the pictures.
  TrainingPairs make(const Tensor& hr, std::int64_t step);

 private:
  Pipeline pipeline_;
  PairMakerOptions options_;
  std::optional<PairPool> pool_;
};

}  // namespace sr
