#include "training/gan_loss.h"

#include "core/error.h"

namespace sr {

/// All but hinge, which alone treats the two players differently.
Tensor GanLoss::mean_loss(const Tensor& answers, Target target) const {
  const bool real = target == Target::real;
  const double label = real ? real_label : fake_label;
  switch (type) {
    case Type::vanilla:
      return at::binary_cross_entropy_with_logits(answers, at::full_like(answers, label), {}, {},
                                                  at::Reduction::Mean);
    case Type::lsgan: return (answers - label).square().mean();
    case Type::wgan: return real ? -answers.mean() : answers.mean();
    case Type::wgan_softplus: return at::softplus(real ? -answers : answers).mean();
    case Type::hinge: break;
  }
  throw Error("there is no such adversarial loss");
}

Tensor GanLoss::generator(const Tensor& answers, Target target) const {
  return weight * (type == Type::hinge ? -answers.mean() : mean_loss(answers, target));
}

Tensor GanLoss::discriminator(const Tensor& answers, Target target) const {
  if (type != Type::hinge) return mean_loss(answers, target);
  return at::relu(1 + (target == Target::real ? -answers : answers)).mean();
}

}  // namespace sr
