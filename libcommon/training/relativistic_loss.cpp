#include "training/relativistic_loss.h"

namespace sr {

using Target = GanLoss::Target;

Tensor RelativisticLoss::centre(const Tensor& answers) const {
  return mean == Mean::everything ? answers.mean() : answers.mean(0, /*keepdim=*/true);
}

Tensor RelativisticLoss::generator(const Tensor& real, const Tensor& fake) const {
  const Tensor fixed = real.detach();
  const Tensor worse = gan.generator(fixed - centre(fake), Target::fake);
  const Tensor better = gan.generator(fake - centre(fixed), Target::real);
  return (worse + better) / 2;
}

Tensor RelativisticLoss::discriminator_real(const Tensor& real, const Tensor& fake) const {
  return 0.5 * gan.discriminator(real - centre(fake.detach()), Target::real);
}

Tensor RelativisticLoss::discriminator_fake(const Tensor& fake, const Tensor& real) const {
  return 0.5 * gan.discriminator(fake - centre(real.detach()), Target::fake);
}

}  // namespace sr
