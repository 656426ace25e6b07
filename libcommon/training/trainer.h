#pragma once
// A generator in training, its losses, and what is trained against it.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "training/adversary.h"
#include "training/clipiqa_loss.h"
#include "training/learner.h"
#include "training/train_config.h"
#include "training/training_weights.h"

namespace sr {

class Trainer : public Trainable {
 public:
  /// Draws new networks from the seed, or fills them. `group`, which must outlive this, may be null: alone.
  /// Throws Error, or UsageError
  /// where weights are missing.
  Trainer(const TrainConfig& config, const Arithmetic& arithmetic, const TrainingWeights& weights,
          ProcessGroup* group = nullptr);

  /// Where a loss of the generator is no number nothing is changed but discriminators' statistics.
  StepReport step(std::int64_t iteration, const TrainingBatch& batch) override;
  /// Networks, averages and optimisers.
  StateDict state() const override;
  void load_state(const StateDict& state) override;

  /// The file of the generator that is to be used: the average, where there is one. Of a Se-RRDB with what it
  /// looks at.
  StateDict result() const;
  /// That generator's answer in [0,1] for an image [1,3,H,W].
  Tensor enhanced(const Tensor& image);
  /// Feat-D and the prompts, in the SFD format; empty without them.
  StateDict sfd_result() const;

 private:
  struct Opponent {
    std::unique_ptr<Adversary> adversary;
    Learner learner;  ///< "discriminator", "sfd"
  };

  void make_generator_parts(const TrainingWeights& weights);
  void make_discriminator_parts(const TrainingWeights& weights);
  void make_sfd_parts(const TrainingWeights& weights);
  void add_opponent(std::string name, std::unique_ptr<Adversary> adversary);

  std::vector<TrainingImages> parts_of(const TrainingBatch& batch) const;
  Tensor generated(Network& network, const Tensor& lr) const;
  LossTerms generator_losses(const TrainingImages& images, const Tensor& lr, bool adversarial);
  void train_generator(std::int64_t iteration, std::vector<TrainingImages>& parts,
                       const std::vector<Tensor>& lr, StepReport& report);
  void train_opponent(Opponent& opponent, std::int64_t iteration, const std::vector<TrainingImages>& parts,
                      StepReport& report);

  TrainConfig config_;
  Arithmetic arithmetic_;
  ProcessGroup* group_;
  at::Generator draws_;

  std::shared_ptr<SemanticExtractor> semantics_;       ///< of the discriminator
  std::shared_ptr<SemanticExtractor> seen_semantics_;  ///< of the generator; null where it is no Se-RRDB
  std::shared_ptr<Network> generator_;
  std::shared_ptr<Network> average_;  ///< its parameters are `ema_`'s tensors; null without averaging
  std::optional<Learner> learner_;    ///< of the generator
  std::unique_ptr<Ema> ema_;

  std::unique_ptr<PerceptualLoss> perceptual_;
  std::shared_ptr<const FrozenClip> eyes_;
  std::unique_ptr<ClipIqaLoss> clipiqa_;
  std::shared_ptr<SfdDiscriminators> sfd_;
  std::vector<Opponent> opponents_;
};

}  // namespace sr
