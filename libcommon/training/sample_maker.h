#pragma once
// From a planned sample to its LR and HR crops.

#include <memory>
#include <optional>

#include "degrade/pipeline.h"
#include "training/picture_store.h"
#include "training/repeats.h"
#include "training/sample_plan.h"

namespace sr {

/// float32 in [0,1], on the 8-bit grid but for HR crops that were sharpened in float32 [3,crop,crop].
struct TrainingSample {
  Tensor lr;  ///< [3,crop/scale,crop/scale]; of whole pictures, or enlarged: [3,crop,crop]
  Tensor hr;  ///< [3,crop,crop]
  Repeats repeats = {};
  std::string caption = {};  ///< where the source has captions: the file's text
};

/// The margin (see DataConfig) of the official loaders: 144 for "realesrgan" (400 pixels are degraded for a
/// crop of 256: Real-ESRGAN realesrgan/data/realesrgan_dataset.py, options/train_realesrgan_x4plus.yml), 0
/// for "bsrgan" (KAIR options/train_bsrgan_x4_gan.json: H_size 288, lq_patchsize 72), "seesr"
/// (make_paired_data.py: crop_size and gt_size 512) and all others.
int official_margin(const std::string& degradation);

/// Makes samples three ways:
/// - paired: the same crop of both pictures;
/// - bicubic (a pipeline that does nothing but shrink as MATLAB does): as from the LR picture of the whole HR
///   picture, its sides cut to multiples of the scale, rounded to 8 bits;
/// - any other pipeline: crop and margin are cut out, turned, degraded by a recipe of their own, and the crop
///   is cut out of that. (Real-ESRGAN shares operators and sizes in a batch and mixes batches by a pool of
///   180 pairs; with a recipe for each sample there's nothing to mix.) HR is sharpened where the pipeline's
///   pairs are.
/// Both crops are then, or were, turned alike.
///
/// Whole pictures, as DAPE's training takes them (cswry/SeeSR basicsr/data/dape_dataset.py,
/// utils_data/make_paired_data_DAPE.py, dataloaders/simple_dataset.py, @8edecc7): those of a pair are resized
/// to the square bilinearly, without antialiasing; else the HR picture is resized by PIL's LANCZOS, degraded,
/// and the LR picture is brought back to the HR size by PyTorch's bicubic. Both are rounded to 8 bits then.
class SampleMaker {
 public:
  /// Finds and opens all pictures. Throws UsageError where there are none, one can't be read or is smaller
  /// than the crop, a pair's sizes don't match the scale, or the degradation isn't known.
  SampleMaker(const DataConfig& config, int threads);

  /// In the order of the configuration.
  const std::vector<PlannedSource>& sources() const { return planned_; }

  /// From any thread. Throws Error that names the file.
  TrainingSample make(const PlannedSample& sample);

 private:
  struct Source {
    std::size_t hr = 0, lr = 0;  ///< of the first picture in the store
    bool paired = false;
    std::vector<fs::path> captions;  ///< one for each picture, or none
  };

  std::size_t hr_picture(const PlannedSample& sample) const {
    return sources_[sample.source].hr + sample.picture;
  }
  Repeats repeats(const PlannedSample& sample) const;
  void check_crops() const;
  void check_pairs() const;
  TrainingSample pair(const PlannedSample& sample);
  TrainingSample paired(const PlannedSample& sample);
  TrainingSample whole_pair(const PlannedSample& sample);
  TrainingSample whole_degraded(const PlannedSample& sample);
  TrainingSample shrunken(const PlannedSample& sample);
  TrainingSample degraded(const PlannedSample& sample);
  /// `hr` [1,3,H,W]; LR and HR of the same part.
  TrainingSample degrade_part(const Tensor& hr, const std::string& item) const;
  /// HR side / LR side of a pair.
  std::int64_t scale_of(PictureSize hr, PictureSize lr) const;
  /// Where a crop of the configuration's size lies in an LR picture.
  Rectangle draw_lr_crop(PictureSize lr, std::int64_t scale, RandomStream& stream) const;
  /// Both crops turned alike.
  TrainingSample turned(const Tensor& lr, const Tensor& hr, const PlannedSample& sample) const;
  RandomStream stream(const PlannedSample& sample, std::string_view purpose) const;

  DataConfig config_;
  std::optional<Pipeline> pipeline_;  ///< where a source isn't paired
  bool plain_shrink_ = false;
  std::vector<Source> sources_;
  std::vector<PlannedSource> planned_;
  std::unique_ptr<PictureStore> store_;
};

}  // namespace sr
