#include "training/seesr_trainer.h"

#include "core/random.h"
#include "nets/fill_module.h"
#include "training/checkpoint.h"

namespace sr {
namespace {

constexpr const char *kTrained = "trained.", *kAverage = "ema.", *kOptimiser = "optimiser.";

/// Where `learns` holds for a parameter's name it asks for a gradient, and is added under `prefix`.
template <class Learns>
void choose(torch::nn::Module& network, const std::string& prefix, const Learns& learns,
            NamedParameters& chosen) {
  for (const auto& [name, parameter] : all_parameters(network)) {
    parameter.requires_grad_(learns(name));
    if (learns(name)) chosen.emplace_back(prefix + name, parameter);
  }
}

/// A stretch of a batch's texts.
std::vector<std::string> stretch(const std::vector<std::string>& all, std::int64_t first,
                                 std::int64_t count) {
  return {all.begin() + first, all.begin() + first + count};
}

/// While it lives the parameters hold their averages; null: they stay.
class Averaged {
 public:
  Averaged(const NamedParameters& parameters, const Ema* averages) {
    if (averages == nullptr) return;
    for (const auto& [name, parameter] : parameters) {
      own_.emplace_back(parameter, parameter.detach());
      parameter.set_data(averages->find(name));
    }
  }
  ~Averaged() {
    for (const auto& [parameter, values] : own_) parameter.set_data(values);
  }
  Averaged(const Averaged&) = delete;
  Averaged& operator=(const Averaged&) = delete;

 private:
  std::vector<std::pair<Tensor, Tensor>> own_;  ///< parameters, and what they held
};

}  // namespace

SeesrTrainer::SeesrTrainer(const SeesrConfig& config, const Arithmetic& arithmetic, SeesrParts parts,
                           ProcessGroup* group)
    : config_(config),
      arithmetic_(arithmetic),
      parts_(std::move(parts)),
      frozen_(config_, arithmetic_, parts_),
      group_(group) {
  NamedParameters chosen;
  choose(
      *parts_.controlnet, "controlnet.", [](const std::string&) { return true; }, chosen);
  choose(*parts_.unet, "unet.", is_image_attention, chosen);
  set_frozen_precision(*parts_.unet, arithmetic_.type);
  parts_.unet->to(arithmetic_.device);
  parts_.controlnet->to(arithmetic_.device);
  parts_.controlnet->set_recomputing(config_.checkpointing);
  parts_.unet->set_recomputing(config_.checkpointing);
  learner_ = std::make_unique<Learner>("networks", std::move(chosen), config_.optimiser, group_);
  if (config_.ema > 0) ema_ = std::make_unique<Ema>(learner_->parameters(), config_.ema);
}

// --- a step ------------------------------------------------------------------------------------------------

std::string SeesrTrainer::caption(const TrainingBatch& batch, std::int64_t sample) const {
  const auto i = static_cast<size_t>(sample);
  if (RandomStream(config_.seed, batch.items[i], "caption").uniform() < config_.null_text_ratio) return "";
  if (config_.captioned()) return batch.captions[i];
  return frozen_.caption(batch.hr.narrow(0, sample, 1), batch.repeats[i].hr);
}

SeesrNoise SeesrTrainer::noise(const std::vector<std::string>& items, at::IntArrayRef sizes) const {
  const auto factor = parts_.vae->factor(), count = static_cast<std::int64_t>(items.size());
  const Tensor code =
      at::empty({count, parts_.vae->config().latents, sizes[2] / factor, sizes[3] / factor}, at::kFloat);
  const Tensor added = at::empty_like(code), timesteps = at::empty({count}, at::kLong);
  for (std::int64_t i = 0; i < count; i++) {
    const auto stream = [&](const char* purpose) {
      return RandomStream(config_.seed, items[static_cast<size_t>(i)], purpose);
    };
    stream("code").fill_normal(code[i]);
    stream("noise").fill_normal(added[i]);
    timesteps[i] = stream("timestep").integer(0, parts_.scheduler.config().train_timesteps - 1);
  }
  const auto& device = arithmetic_.device;
  return {.code = code.to(device), .added = added.to(device), .timesteps = timesteps.to(device)};
}

Tensor SeesrTrainer::loss(const TrainingBatch& batch, std::int64_t first, std::int64_t count) const {
  const auto drawn = noise(stretch(batch.items, first, count), batch.hr.sizes());
  std::vector<Tensor> latents, texts, tokens;
  for (std::int64_t i = 0; i < count; i++) {
    const auto sample = first + i;
    const auto repeats = batch.repeats[static_cast<size_t>(sample)];
    latents.push_back(frozen_.latents(batch.hr.narrow(0, sample, 1), drawn.code.narrow(0, i, 1), repeats.hr));
    const auto words = caption(batch, sample);
    // what RAM names in crops that are nowhere twice would fill the disk
    texts.push_back(frozen_.text(words, config_.captioned() || words.empty() || repeats.hr));
    tokens.push_back(frozen_.image_tokens(batch.lr.narrow(0, sample, 1), repeats.lr));
  }
  const SeesrSight sight{.pictures = batch.lr.narrow(0, first, count).to(arithmetic_.device),
                         .text = at::cat(texts),
                         .image_tokens = at::cat(tokens)};
  const auto forward = [&] {
    const Autocast autocast(arithmetic_);
    return seesr_forward(*parts_.unet, *parts_.controlnet, parts_.scheduler, at::cat(latents), sight, drawn);
  };
  return forward().loss();
}

StepReport SeesrTrainer::step(std::int64_t iteration, const TrainingBatch& batch) {
  StepReport report;
  const auto parts = batch.hr.chunk(config_.accumulate);
  std::int64_t first = 0;
  learner_->drop_gradients();
  for (size_t i = 0; i < parts.size(); i++) {
    const double share = share_of(parts[i], batch.hr);
    const Tensor noise = loss(batch, first, parts[i].size(0));
    first += parts[i].size(0);
    report.add({{"noise", noise}}, share);
    learner_->expect_backward(i + 1 == parts.size());
    (noise * share).backward();
  }
  report.taken = learner_->step(iteration, ema_.get());
  report.take_means(group_);
  return report;
}

Tensor SeesrTrainer::enhanced(const Tensor& lr, const std::string& item) const {
  const Averaged averaged(learner_->parameters(), ema_.get());
  return SeesrPreview(config_, arithmetic_, parts_).of(lr, item);
}

// --- state -------------------------------------------------------------------------------------------------

StateDict SeesrTrainer::trained() const {
  return {learner_->parameters().begin(), learner_->parameters().end()};
}

StateDict SeesrTrainer::state() const {
  StateDict state;
  add_part(state, kTrained, trained());
  if (ema_) add_part(state, kAverage, ema_->state());
  add_part(state, kOptimiser, learner_->state());
  return state;
}

void SeesrTrainer::load_state(const StateDict& state) {
  copy_tensors(part_of(state, kTrained), trained(), "what is trained");
  learner_->load_state(part_of(state, kOptimiser));
  if (ema_) ema_->load_state(part_of(state, kAverage));
}

StateDict SeesrTrainer::result() const { return ema_ ? ema_->state() : trained(); }

}  // namespace sr
