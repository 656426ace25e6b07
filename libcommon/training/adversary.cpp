#include "training/adversary.h"

#include <functional>

#include "training/feat_d_loss.h"
#include "training/tg_d_loss.h"

namespace sr {
namespace {

void back(const Tensor& loss, double share) { (loss * share).backward(); }

}  // namespace

// --- GAN ---------------------------------------------------------------------------------------------------

/// Float32 whatever autocast made of the answers: losses are sums over many numbers.
Tensor GanAdversary::judged(const Tensor& image, const Tensor& semantics) const {
  const Autocast autocast(arithmetic_);
  return network_->forward(image, semantics).to(at::kFloat);
}

void GanAdversary::add_generator_losses(const TrainingImages& images, LossTerms& terms) {
  if (!loss_.relativistic) {
    terms.emplace_back("gan", loss_.gan->generator(judged(images.sr, images.semantics)));
    return;
  }
  const RelativisticLoss loss{*loss_.gan, *loss_.relativistic};
  const Tensor real = judged(images.hr, images.semantics).detach();
  terms.emplace_back("gan", loss.generator(real, judged(images.sr, images.semantics)));
}

LossTerms GanAdversary::backward(const TrainingImages& images) {
  return loss_.relativistic ? backward_relativistic(images) : backward_plain(images);
}

LossTerms GanAdversary::backward_plain(const TrainingImages& images) {
  using Target = GanLoss::Target;
  const Tensor real = loss_.gan->discriminator(judged(images.hr, images.semantics), Target::real);
  back(real, images.share);
  const Tensor fake = loss_.gan->discriminator(judged(images.sr, images.semantics), Target::fake);
  back(fake, images.share);
  return {{"d_real", real.detach()}, {"d_fake", fake.detach()}};
}

LossTerms GanAdversary::backward_relativistic(const TrainingImages& images) {
  const RelativisticLoss loss{*loss_.gan, *loss_.relativistic};
  const Tensor fake_before = judged(images.sr, images.semantics).detach();
  const Tensor real_answers = judged(images.hr, images.semantics);
  const Tensor real = loss.discriminator_real(real_answers, fake_before);
  back(real, images.share);
  const Tensor fake = loss.discriminator_fake(judged(images.sr, images.semantics), real_answers.detach());
  back(fake, images.share);
  return {{"d_real", real.detach()}, {"d_fake", fake.detach()}};
}

// --- SFD ---------------------------------------------------------------------------------------------------

void SfdAdversary::add_generator_losses(const TrainingImages& images, LossTerms& terms) {
  const auto seen = (*eyes_)(images.sr);
  if (loss_.feat_d)
    terms.emplace_back("feat_d", *loss_.feat_d * feat_d_generator_loss(*networks_->feat_d, seen.levels));
  if (loss_.tg_d) {
    const Tensor texts = networks_->tg_d->texts(*clip_);
    terms.emplace_back("tg_d", *loss_.tg_d * tg_d_generator_loss(seen.feature, texts, eyes_->scale()));
  }
}

LossTerms SfdAdversary::backward(const TrainingImages& images) {
  ClipImage real, fake;
  {
    const at::NoGradGuard frozen;
    const Autocast autocast(arithmetic_);
    real = (*eyes_)(images.hr);
    fake = (*eyes_)(images.sr);
  }
  LossTerms terms;
  const auto add = [&](const char* name, const std::function<Tensor()>& reckoned) {
    Tensor loss;
    {
      const Autocast autocast(arithmetic_);
      loss = reckoned();
    }
    back(loss, images.share);
    terms.emplace_back(name, loss.detach());
  };
  const auto texts = [&] { return networks_->tg_d->texts(*clip_); };
  if (loss_.feat_d) {
    add("feat_d_real", [&] { return feat_d_real_loss(*networks_->feat_d, real.levels); });
    add("feat_d_fake", [&] { return feat_d_fake_loss(*networks_->feat_d, fake.levels); });
  }
  if (loss_.tg_d) {
    add("tg_d_real", [&] { return tg_d_real_loss(real.feature, texts(), eyes_->scale()); });
    add("tg_d_fake", [&] { return tg_d_fake_loss(fake.feature, texts(), eyes_->scale()); });
  }
  return terms;
}

}  // namespace sr
