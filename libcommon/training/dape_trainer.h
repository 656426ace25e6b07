#pragma once
// DAPE in training: LoRA beside RAM learns to say of degraded pictures what RAM says of the sharp ones.
// Source: cswry/SeeSR basicsr/models/dape_model.py, basicsr/options/dape.yaml (@8edecc7).

#include <memory>

#include "core/autocast.h"
#include "training/dape_config.h"
#include "training/learner.h"
#include "training/trainable.h"
#include "training/training_weights.h"

namespace sr {

class DapeTrainer : public Trainable {
 public:
  /// New LoRA from the seed, unless RAM's file holds some. RAM's own weights are kept in the arithmetic's
  /// type, LoRA is float32. `group`, which must outlive this, may be null: alone. Throws Error, or UsageError
  /// where weights are missing.
  DapeTrainer(const DapeConfig& config, const Arithmetic& arithmetic, const TrainingWeights& weights,
              ProcessGroup* group = nullptr);

  /// Of batches of whole pictures, of any size. Nothing is changed where it throws.
  StepReport step(std::int64_t iteration, const TrainingBatch& batch) override;
  /// LoRA and its optimiser: RAM isn't among it.
  StateDict state() const override;
  void load_state(const StateDict& state) override;

  /// As DAPE's file holds it (see dape_file).
  StateDict result() const { return dape_file(*ram_); }

 private:
  Tensor input(const Tensor& pictures) const;
  RamAnswers answers(const Tensor& pictures) const;
  /// RAM is the student without LoRA, and drops nothing.
  RamAnswers teacher_answers(const Tensor& pictures);

  DapeConfig config_;
  Arithmetic arithmetic_;
  ProcessGroup* group_;
  std::shared_ptr<Ram> ram_;
  std::unique_ptr<Learner> learner_;
};

}  // namespace sr
