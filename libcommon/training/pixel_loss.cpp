#include "training/pixel_loss.h"

#include "core/error.h"

namespace sr {
namespace {

Tensor negative_psnr(const Tensor& prediction, const Tensor& target) {
  constexpr double kDecibels = 10, kFloor = 1e-8;
  return ((prediction - target).square().mean({1, 2, 3}) + kFloor).log10() * kDecibels;
}

Tensor differences(const PixelLoss& loss, const Tensor& prediction, const Tensor& target) {
  const Tensor difference = prediction - target;
  switch (loss.criterion) {
    case PixelLoss::Criterion::l1: return difference.abs();
    case PixelLoss::Criterion::mse: return difference.square();
    case PixelLoss::Criterion::charbonnier: return (difference.square() + loss.epsilon).sqrt();
    case PixelLoss::Criterion::psnr: return negative_psnr(prediction, target);
  }
  throw Error("there is no such pixel loss");
}

}  // namespace

Tensor reduced(const Tensor& values, const Tensor& weight_map, Reduction reduction) {
  const Tensor weighted = weight_map.defined() ? values * weight_map : values;
  if (reduction == Reduction::none) return weighted;
  if (reduction == Reduction::sum) return weighted.sum();
  if (!weight_map.defined()) return weighted.mean();
  const Tensor weights = weight_map.sum();
  return weighted.sum() / (weight_map.size(1) > 1 ? weights : weights * values.size(1));
}

Tensor PixelLoss::operator()(const Tensor& prediction, const Tensor& target, const Tensor& weight_map) const {
  if (criterion == Criterion::psnr && weight_map.defined()) throw Error("PSNR as a loss takes no weight map");
  return weight * reduced(differences(*this, prediction, target), weight_map, reduction);
}

Tensor TotalVariationLoss::operator()(const Tensor& images, const Tensor& weight_map) const {
  if (reduction == Reduction::none) throw Error("total variation is a mean or a sum");
  const auto along = [&](int64_t axis) {
    const int64_t last = images.size(axis) - 1;
    const Tensor map = weight_map.defined() ? weight_map.narrow(axis, 0, last) : Tensor();
    return reduced((images.narrow(axis, 0, last) - images.narrow(axis, 1, last)).abs(), map, reduction);
  };
  return weight * (along(3) + along(2));
}

}  // namespace sr
