#include "training/augmentation.h"

namespace sr {

Augmentation draw_augmentation(bool flip, bool rotate, RandomStream& stream) {
  // all three are always drawn, so that an option changes none of the others
  const auto happens = [&stream](bool allowed) { return stream.uniform() < 0.5 && allowed; };
  Augmentation augmentation;
  augmentation.mirrored = happens(flip);
  augmentation.upended = happens(rotate);
  augmentation.transposed = happens(rotate);
  return augmentation;
}

Tensor augmented(const Tensor& image, const Augmentation& augmentation) {
  auto result = image;
  if (augmentation.mirrored && augmentation.upended) {
    result = result.flip({-2, -1});
  } else if (augmentation.mirrored || augmentation.upended) {
    result = result.flip({augmentation.mirrored ? -1 : -2});
  }
  return augmentation.transposed ? result.transpose(-2, -1) : result;
}

}  // namespace sr
