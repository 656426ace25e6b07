#include "training/dape_trainer.h"

#include <fmt/format.h>

#include "core/error.h"
#include "nets/fill_module.h"
#include "nets/lora.h"
#include "nets/network.h"
#include "tagging/ram_input.h"
#include "training/checkpoint.h"

namespace sr {
namespace {

constexpr const char *kStudent = "student.", *kOptimiser = "optimiser.student.";

/// A file that can't be RAM is the settings' fault.
std::shared_ptr<Ram> load_ram(const DapeConfig& config, const TrainingWeights& weights) {
  const auto checkpoint = weights.load(config.ram);
  try {
    return make_ram(checkpoint, config.drops);
  } catch (const Error& error) {
    throw UsageError(fmt::format("dape.ram: {}: {}", printable(config.ram), error.what()));
  }
}

}  // namespace

DapeTrainer::DapeTrainer(const DapeConfig& config, const Arithmetic& arithmetic,
                         const TrainingWeights& weights, ProcessGroup* group)
    : config_(config), arithmetic_(arithmetic), group_(group), ram_(load_ram(config, weights)) {
  if (lora_state(*ram_).empty()) {
    adapt_lora(*ram_, config_.rank);
    draw_lora(*ram_, weight_draws(config_.seed));
  }
  set_precision(*ram_, arithmetic_.type);
  ram_->to(arithmetic_.device);
  learner_ = std::make_unique<Learner>("student", trained_parameters(*ram_), config_.optimiser, group_);
}

Tensor DapeTrainer::input(const Tensor& pictures) const {
  return ram_input(pictures.to(arithmetic_.device), ram_->config().swin.image_size);
}

RamAnswers DapeTrainer::answers(const Tensor& pictures) const {
  const Tensor embeddings = ram_->embed(input(pictures));
  return {.embeddings = embeddings, .logits = ram_->logits(embeddings)};
}

RamAnswers DapeTrainer::teacher_answers(const Tensor& pictures) {
  const at::NoGradGuard no_grad;
  ram_->eval();
  mute_lora(*ram_, true);
  const RamAnswers teacher = answers(pictures);
  mute_lora(*ram_, false);
  ram_->train();
  return teacher;
}

StepReport DapeTrainer::step(std::int64_t iteration, const TrainingBatch& batch) {
  seed_network_draws(config_.seed, iteration, group_);
  StepReport report;
  const auto hr = batch.hr.chunk(config_.accumulate), lr = batch.lr.chunk(config_.accumulate);
  learner_->drop_gradients();
  for (size_t i = 0; i < hr.size(); i++) {
    const double share = share_of(hr[i], batch.hr);
    const RamAnswers teacher = teacher_answers(hr[i]);
    const auto terms = config_.loss(answers(lr[i]), teacher);
    report.add({{"embeddings", terms.embeddings}, {"logits", terms.logits}}, share);
    learner_->expect_backward(i + 1 == hr.size());
    (terms.sum() * share).backward();
  }
  report.taken = learner_->step(iteration);
  report.take_means(group_);
  return report;
}

StateDict DapeTrainer::state() const {
  StateDict state;
  add_part(state, kStudent, lora_state(*ram_));
  add_part(state, kOptimiser, learner_->state());
  return state;
}

void DapeTrainer::load_state(const StateDict& state) {
  copy_tensors(part_of(state, kStudent), lora_state(*ram_), "the student");
  learner_->load_state(part_of(state, kOptimiser));
}

}  // namespace sr
