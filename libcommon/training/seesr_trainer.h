#pragma once
// SeeSR in training: the ControlNet, and the U-Net's `image_attentions`, learn to tell the noise in latents
// of sharp pictures from the degraded ones; the U-Net's rest and all else stay as they are. Source:
// cswry/SeeSR train_seesr.py, dataloaders/paired_dataset.py PairedCaptionDataset (@8edecc7).

#include "training/ema.h"
#include "training/learner.h"
#include "training/seesr_frozen.h"
#include "training/seesr_loss.h"
#include "training/seesr_preview.h"
#include "training/trainable.h"

namespace sr {

class SeesrTrainer : public Trainable {
 public:
  /// What learns is float32, what doesn't in the arithmetic's type. `group`, which must outlive this, may be
  /// null: alone.
  SeesrTrainer(const SeesrConfig& config, const Arithmetic& arithmetic, SeesrParts parts,
               ProcessGroup* group = nullptr);

  /// Of batches of enlarged pictures, with captions unless RAM makes them. Noise, timesteps and dropped
  /// captions are functions of the seed and the item's name.
  StepReport step(std::int64_t iteration, const TrainingBatch& batch) override;
  /// What is trained, its averages and its optimiser.
  StateDict state() const override;
  void load_state(const StateDict& state) override;

  /// What the networks (averaged, where there are averages) make of an LR image [1,3,h,w] in [0,1], as
  /// sr-diffuse does: [1,3,scale h,scale w] in [0,1]. See SeesrPreview.
  Tensor enhanced(const Tensor& lr, const std::string& item) const;
  /// What is trained, averaged where there are averages: "unet.NAME" and "controlnet.NAME" (see write_seesr).
  StateDict result() const;

 private:
  /// Samples [first, first + count) of the batch.
  Tensor loss(const TrainingBatch& batch, std::int64_t first, std::int64_t count) const;
  /// What a sample's caption comes to.
  std::string caption(const TrainingBatch& batch, std::int64_t sample) const;
  /// For pictures of this size.
  SeesrNoise noise(const std::vector<std::string>& items, at::IntArrayRef sizes) const;
  StateDict trained() const;

  SeesrConfig config_;
  Arithmetic arithmetic_;
  SeesrParts parts_;
  SeesrFrozen frozen_;
  ProcessGroup* group_;
  std::unique_ptr<Learner> learner_;
  std::unique_ptr<Ema> ema_;  ///< null: none
};

}  // namespace sr
