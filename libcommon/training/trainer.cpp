#include "training/trainer.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/autocast.h"
#include "core/error.h"
#include "nets/fill_module.h"
#include "nets/keys.h"
#include "training/checkpoint.h"

namespace sr {
namespace {

/// Up to what half precision rounds off in an exported file.
bool same_semantics(const SemanticExtractor& a, const SemanticExtractor& b) {
  const auto of_a = used_tensors(a), of_b = used_tensors(b);
  return std::equal(of_a.begin(), of_a.end(), of_b.begin(), of_b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.sizes() == y.second.sizes() &&
           at::allclose(x.second, y.second, /*rtol=*/1e-3, /*atol=*/1e-6);
  });
}

/// Throws UsageError where a Se-RRDB would have to go on with other semantics than it learnt to look at.
void check_semantics(const Network& network, const Network& known, const std::string& name) {
  const auto* own = dynamic_cast<const SeRRDBNet*>(&network);
  const auto* begun = dynamic_cast<const SeRRDBNet*>(&known);
  if (own == nullptr || begun == nullptr || same_semantics(own->semantics(), begun->semantics())) return;
  throw UsageError(
      fmt::format("generator.start: {} looks at other semantics than those of [semantics]", name));
}

/// Fills a network to train from a published checkpoint of any key vocabulary.
void start_from(Network& network, const StateDict& checkpoint, const std::string& name) {
  const auto known = make_network(checkpoint);
  check_semantics(network, *known, name);
  try {
    copy_tensors(tensors_of(*known), tensors_of(network), name);
  } catch (const Error& error) {
    throw UsageError(fmt::format("generator.start: {}", error.what()));
  }
}

}  // namespace

Trainer::Trainer(const TrainConfig& config, const Arithmetic& arithmetic, const TrainingWeights& weights,
                 ProcessGroup* group)
    : config_(config), arithmetic_(arithmetic), group_(group), draws_(weight_draws(config.seed)) {
  if (config_.discriminator && config_.discriminator->semantic()) {
    semantics_ = make_semantics(config_.semantics, weights.load(config_.semantics_weights));
    semantics_->to(arithmetic_.device);
    semantics_->train(config_.semantics_train_mode);
  }
  make_generator_parts(weights);
  if (config_.loss.perceptual) {
    perceptual_ = std::make_unique<PerceptualLoss>(*config_.loss.perceptual,
                                                   weights.load(config_.loss.perceptual_weights));
    perceptual_->to(arithmetic_.device);
    perceptual_->set_precision(arithmetic_.type);
  }
  if (config_.discriminator) make_discriminator_parts(weights);
  if (config_.loss.sees_clip()) make_sfd_parts(weights);
}

// --- parts -------------------------------------------------------------------------------------------------

void Trainer::make_generator_parts(const TrainingWeights& weights) {
  if (auto* se_rrdb = std::get_if<SeRRDBConfig>(&config_.generator)) {
    // not the discriminator's, which may normalise by batches
    seen_semantics_ = make_semantics(config_.semantics, weights.load(config_.semantics_weights));
    se_rrdb->fusion.channels = seen_semantics_->channels();
    se_rrdb->fusion.stride = seen_semantics_->stride();
  }
  generator_ = make_generator(config_.generator, draws_, seen_semantics_);
  if (!config_.generator_start.empty())
    start_from(*generator_, weights.load(config_.generator_start), config_.generator_start);
  generator_->set_recomputing(config_.checkpointing);
  generator_->to(arithmetic_.device);
  learner_.emplace("generator", all_parameters(*generator_), config_.generator_optimiser, group_);
  if (config_.ema > 0) {
    ema_ = std::make_unique<Ema>(learner_->parameters(), config_.ema);
    average_ = make_generator(config_.generator, draws_, seen_semantics_);
    average_->to(arithmetic_.device);
    average_->eval();
    for (auto& entry : average_->named_parameters()) {
      entry.value().requires_grad_(false);
      entry.value().set_data(ema_->find(entry.key()));
    }
  }
}

void Trainer::make_discriminator_parts(const TrainingWeights& weights) {
  auto config = *config_.discriminator;
  if (config.semantic()) {
    config.fusion.channels = semantics_->channels();
    config.fusion.stride = semantics_->stride();
  }
  const auto network = make_discriminator(config);
  {
    const at::NoGradGuard no_grad;
    network->draw(draws_);
  }
  if (!config_.discriminator_start.empty())
    copy_tensors(weights.load(config_.discriminator_start), tensors_of(*network),
                 config_.discriminator_start);
  add_opponent("discriminator", std::make_unique<GanAdversary>(network, config_.loss, arithmetic_));
}

void Trainer::make_sfd_parts(const TrainingWeights& weights) {
  const auto clip = make_clip(weights.load(config_.clip_weights));
  clip->to(arithmetic_.device);
  eyes_ = std::make_shared<const FrozenClip>(*clip);
  if (config_.loss.clipiqa)
    clipiqa_ = std::make_unique<ClipIqaLoss>(*clip, ClipTokenizer(weights.find("clip-vocabulary")));
  if (!config_.loss.feat_d && !config_.loss.tg_d) return;
  config_.feat_d.channels = eyes_->channels();
  config_.prompts.width = clip->text_config().width;
  sfd_ = std::make_shared<SfdDiscriminators>(config_.feat_d, config_.prompts);
  {
    const at::NoGradGuard no_grad;
    sfd_->feat_d->draw(draws_);
    sfd_->tg_d->draw(draws_);
  }
  if (!config_.sfd_start.empty())
    copy_tensors(weights.load(config_.sfd_start), tensors_of(*sfd_), config_.sfd_start);
  add_opponent("sfd", std::make_unique<SfdAdversary>(sfd_, clip, eyes_, config_.loss, arithmetic_));
}

void Trainer::add_opponent(std::string name, std::unique_ptr<Adversary> adversary) {
  auto& module = adversary->module();
  module.to(arithmetic_.device);
  module.train();
  for (const auto& parameter : module.parameters()) parameter.requires_grad_(true);
  Learner learner(std::move(name), all_parameters(module), config_.discriminator_optimiser, group_);
  opponents_.push_back({std::move(adversary), std::move(learner)});
}

// --- an iteration ------------------------------------------------------------------------------------------

std::vector<TrainingImages> Trainer::parts_of(const TrainingBatch& batch) const {
  std::vector<TrainingImages> parts;
  for (const auto& hr : batch.hr.chunk(config_.accumulate)) {
    TrainingImages images{hr.to(arithmetic_.device), {}, {}, share_of(hr, batch.hr)};
    if (config_.discriminator && config_.discriminator->semantic()) {
      const at::NoGradGuard no_grad;
      const Autocast autocast(arithmetic_);
      images.semantics = semantics_->forward(images.hr).to(at::kFloat);
    }
    parts.push_back(std::move(images));
  }
  return parts;
}

Tensor Trainer::generated(Network& network, const Tensor& lr) const {
  const Autocast autocast(arithmetic_);
  return network.forward(lr.contiguous(at::MemoryFormat::ChannelsLast)).to(at::kFloat);
}

LossTerms Trainer::generator_losses(const TrainingImages& images, const Tensor& lr, bool adversarial) {
  const auto& loss = config_.loss;
  LossTerms terms;
  if (loss.pixel) terms.emplace_back("pixel", (*loss.pixel)(images.sr, images.hr));
  if (loss.ldl) {
    Tensor average;
    {
      const at::NoGradGuard no_grad;
      average = generated(*average_, lr);
    }
    terms.emplace_back("ldl", (*loss.ldl)(images.sr, average, images.hr));
  }
  const Autocast autocast(arithmetic_);
  if (perceptual_) {
    const auto features = (*perceptual_)(images.sr, images.hr);
    if (features.features.defined()) terms.emplace_back("perceptual", features.features);
    if (features.style.defined()) terms.emplace_back("style", features.style);
  }
  if (!adversarial) return terms;
  if (clipiqa_) terms.emplace_back("clipiqa", *loss.clipiqa * (*clipiqa_)((*eyes_)(images.sr).feature));
  for (auto& opponent : opponents_) opponent.adversary->add_generator_losses(images, terms);
  return terms;
}

void Trainer::train_generator(std::int64_t iteration, std::vector<TrainingImages>& parts,
                              const std::vector<Tensor>& lr, StepReport& report) {
  const bool adversarial = iteration >= config_.gan_from;
  for (auto& opponent : opponents_) opponent.learner.require_gradients(false);
  learner_->drop_gradients();
  for (size_t i = 0; i < parts.size(); i++) {
    parts[i].sr = generated(*generator_, lr[i]);
    const auto terms = generator_losses(parts[i], lr[i], adversarial);
    report.add(terms, parts[i].share);
    Tensor sum = terms.front().second;
    for (size_t t = 1; t < terms.size(); t++) sum = sum + terms[t].second;
    learner_->expect_backward(i + 1 == parts.size());
    (sum * parts[i].share).backward();
    parts[i].sr = parts[i].sr.detach();
  }
  report.taken = learner_->step(iteration, ema_.get());
}

void Trainer::train_opponent(Opponent& opponent, std::int64_t iteration,
                             const std::vector<TrainingImages>& parts, StepReport& report) {
  opponent.learner.require_gradients(true);
  opponent.learner.drop_gradients();
  for (const auto& images : parts) report.add(opponent.adversary->backward(images), images.share);
  opponent.learner.step(iteration);
}

StepReport Trainer::step(std::int64_t iteration, const TrainingBatch& batch) {
  seed_network_draws(config_.seed, iteration, group_);
  StepReport report;
  auto parts = parts_of(batch);
  std::vector<Tensor> lr;
  for (const auto& part : batch.lr.chunk(config_.accumulate)) lr.push_back(part.to(arithmetic_.device));
  train_generator(iteration, parts, lr, report);
  if (iteration >= config_.gan_from) {
    for (auto& opponent : opponents_) train_opponent(opponent, iteration, parts, report);
  }
  report.take_means(group_);
  return report;
}

// --- state -------------------------------------------------------------------------------------------------

StateDict Trainer::state() const {
  StateDict state;
  add_part(state, "generator.", tensors_of(*generator_));
  add_part(state, "optimiser.generator.", learner_->state());
  if (ema_) add_part(state, "ema.", ema_->state());
  for (const auto& opponent : opponents_) {
    add_part(state, opponent.learner.name() + ".", tensors_of(opponent.adversary->module()));
    add_part(state, "optimiser." + opponent.learner.name() + ".", opponent.learner.state());
  }
  return state;
}

void Trainer::load_state(const StateDict& state) {
  copy_tensors(part_of(state, "generator."), tensors_of(*generator_), "the generator");
  learner_->load_state(part_of(state, "optimiser.generator."));
  if (ema_) ema_->load_state(part_of(state, "ema."));
  for (auto& opponent : opponents_) {
    copy_tensors(part_of(state, opponent.learner.name() + "."), tensors_of(opponent.adversary->module()),
                 "the " + opponent.learner.name());
    opponent.learner.load_state(part_of(state, "optimiser." + opponent.learner.name() + "."));
  }
}

StateDict Trainer::result() const {
  StateDict network = ema_ ? ema_->state() : tensors_of(*generator_);
  return seen_semantics_ ? se_rrdb_file(network, *seen_semantics_) : network;
}

Tensor Trainer::enhanced(const Tensor& image) {
  const at::NoGradGuard no_grad;
  auto& network = average_ ? *average_ : *generator_;
  const bool training = network.is_training();
  network.eval();
  const Tensor answer = generated(network, image.to(arithmetic_.device)).clamp(0, 1).to(at::kCPU);
  network.train(training);
  return answer;
}

StateDict Trainer::sfd_result() const { return sfd_ ? tensors_of(*sfd_) : StateDict(); }

}  // namespace sr
