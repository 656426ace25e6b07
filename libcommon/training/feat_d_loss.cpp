#include "training/feat_d_loss.h"

#include "training/gan_loss.h"

namespace sr {
namespace {

using Target = GanLoss::Target;

Tensor trained_on(FeatD& feat_d, const FeatureLevels& levels, Target target) {
  const auto& [fine, middle, coarse] = levels;
  return GanLoss{}.discriminator(feat_d.forward({fine.detach(), middle.detach(), coarse.detach()}), target);
}

}  // namespace

Tensor feat_d_generator_loss(FeatD& feat_d, const FeatureLevels& restored) {
  return GanLoss{}.generator(feat_d.forward(restored));
}

Tensor feat_d_real_loss(FeatD& feat_d, const FeatureLevels& real) {
  return trained_on(feat_d, real, Target::real);
}

Tensor feat_d_fake_loss(FeatD& feat_d, const FeatureLevels& restored) {
  return trained_on(feat_d, restored, Target::fake);
}

}  // namespace sr
