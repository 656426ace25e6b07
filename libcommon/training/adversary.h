#pragma once
// What is trained against the generator: a discriminator, or SFD's pair of them.

#include <memory>
#include <string>
#include <vector>

#include "core/autocast.h"
#include "training/frozen_clip.h"
#include "training/train_config.h"
#include "training/trainable.h"

namespace sr {

/// Images of one part of a batch, [N,3,H,W] float32 in [0,1].
struct TrainingImages {
  Tensor hr;
  Tensor sr;         ///< the generator's, with its history
  Tensor semantics;  ///< of `hr`, where a discriminator is conditioned on them
  double share = 1;  ///< of the batch
};

class Adversary {
 public:
  virtual ~Adversary() = default;
  /// What is trained, under the names of its checkpoints.
  virtual torch::nn::Module& module() = 0;
  /// Adds what the generator loses by it. Nothing of the adversary gets a gradient (the trainer sees to it).
  virtual void add_generator_losses(const TrainingImages& images, LossTerms& terms) = 0;
  /// One pass of its own training: backward passes of its losses, each times the images' share.
  /// `images.sr` has no history.
  virtual LossTerms backward(const TrainingImages& images) = 0;
};

/// A discriminator with a GAN loss, plain or relativistic, in the order in which BasicSR's srgan_model.py and
/// esrgan_model.py go (each forward pass moves spectral norms and statistics).
class GanAdversary : public Adversary {
 public:
  GanAdversary(std::shared_ptr<Discriminator> network, const LossConfig& loss, const Arithmetic& arithmetic)
      : network_(std::move(network)), loss_(loss), arithmetic_(arithmetic) {}
  torch::nn::Module& module() override { return *network_; }
  void add_generator_losses(const TrainingImages& images, LossTerms& terms) override;
  LossTerms backward(const TrainingImages& images) override;

 private:
  Tensor judged(const Tensor& image, const Tensor& semantics) const;
  LossTerms backward_plain(const TrainingImages& images);
  LossTerms backward_relativistic(const TrainingImages& images);

  std::shared_ptr<Discriminator> network_;
  LossConfig loss_;
  Arithmetic arithmetic_;
};

/// SFD's Feat-D and TG-D, which look at images through CLIP, and CLIP-IQA with fixed prompts, which learns
/// nothing.
class SfdAdversary : public Adversary {
 public:
  /// `clip`: for the text tower; `eyes` its folded image tower.
  SfdAdversary(std::shared_ptr<SfdDiscriminators> networks, std::shared_ptr<Clip> clip,
               std::shared_ptr<const FrozenClip> eyes, const LossConfig& loss, const Arithmetic& arithmetic)
      : networks_(std::move(networks)),
        clip_(std::move(clip)),
        eyes_(std::move(eyes)),
        loss_(loss),
        arithmetic_(arithmetic) {}
  torch::nn::Module& module() override { return *networks_; }
  void add_generator_losses(const TrainingImages& images, LossTerms& terms) override;
  LossTerms backward(const TrainingImages& images) override;

 private:
  std::shared_ptr<SfdDiscriminators> networks_;
  std::shared_ptr<Clip> clip_;
  std::shared_ptr<const FrozenClip> eyes_;
  LossConfig loss_;
  Arithmetic arithmetic_;
};

}  // namespace sr
