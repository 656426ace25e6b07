#include "degrade/pair_maker.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "core/error.h"
#include "degrade/apply.h"
#include "degrade/draw.h"

namespace sr {
namespace {

/// `count` different numbers in [0, size): the head of a Fisher-Yates shuffle.
Tensor distinct(std::int64_t count, std::int64_t size, RandomStream& stream) {
  std::vector<std::int64_t> places(static_cast<size_t>(size));
  std::iota(places.begin(), places.end(), 0);
  for (std::int64_t i = 0; i < count; i++) {
    std::swap(places[static_cast<size_t>(i)], places[static_cast<size_t>(stream.integer(i, size - 1))]);
  }
  return at::tensor(at::ArrayRef<std::int64_t>(places.data(), static_cast<size_t>(count)));
}

Tensor square(const Tensor& images, std::int64_t top, std::int64_t left, std::int64_t side) {
  return images.narrow(2, top, side).narrow(3, left, side).contiguous();
}

Tensor exchanged(Tensor& pool, const Tensor& places, const Tensor& newcomers) {
  const auto at_device = places.to(pool.device());
  auto leavers = pool.index_select(0, at_device);
  pool.index_copy_(0, at_device, newcomers);
  return leavers;
}

}  // namespace

TrainingPairs paired_crop(const TrainingPairs& pairs, std::int64_t hr_size, int scale, RandomStream& stream) {
  const auto height = pairs.lr.size(2), width = pairs.lr.size(3), lr_size = hr_size / scale;
  if (lr_size * scale != hr_size)
    throw Error(fmt::format("a crop of {} is no multiple of the scale {}", hr_size, scale));
  if (height < lr_size || width < lr_size) {
    throw Error(fmt::format("{}x{} pixels are too few for a crop of {}x{}", width * scale, height * scale,
                            hr_size, hr_size));
  }
  const auto top = stream.integer(0, height - lr_size), left = stream.integer(0, width - lr_size);
  return {square(pairs.hr, top * scale, left * scale, hr_size), square(pairs.lr, top, left, lr_size)};
}

PairPool::PairPool(std::int64_t capacity) : capacity_(capacity) {
  if (capacity <= 0) throw Error(fmt::format("a pool of {} pairs holds none", capacity));
}

TrainingPairs PairPool::exchange(const TrainingPairs& pairs, RandomStream& stream) {
  const auto count = pairs.hr.size(0);
  if (filled_ < capacity_) {
    const auto kept = std::min(count, capacity_ - filled_);
    const auto grown = [&](const Tensor& pool, const Tensor& images) {
      const auto newcomers = images.narrow(0, 0, kept);
      return filled_ == 0 ? newcomers.clone() : at::cat({pool, newcomers});
    };
    pool_ = {grown(pool_.hr, pairs.hr), grown(pool_.lr, pairs.lr)};
    filled_ += kept;
    return pairs;
  }
  if (count > capacity_)
    throw Error(fmt::format("a batch of {} is larger than the pool of {}", count, capacity_));
  const auto places = distinct(count, capacity_, stream);
  return {exchanged(pool_.hr, places, pairs.hr), exchanged(pool_.lr, places, pairs.lr)};
}

PairMaker::PairMaker(Pipeline pipeline, const PairMakerOptions& options)
    : pipeline_(std::move(pipeline)), options_(options) {
  if (pipeline_.scale != std::floor(pipeline_.scale)) {
    throw Error(fmt::format("training pairs need a whole scale, not {}", pipeline_.scale));
  }
  if (options.pool > 0) pool_.emplace(options.pool);
}

TrainingPairs PairMaker::make(const Tensor& hr, std::int64_t step) {
  const int scale = static_cast<int>(pipeline_.scale);
  const auto height = hr.size(2) / scale * scale, width = hr.size(3) / scale * scale;
  TrainingPairs pairs{hr.narrow(2, 0, height).narrow(3, 0, width).contiguous(), {}};
  const auto item = fmt::format("step {}", step);
  const auto recipes =
      draw_recipes(pipeline_, {item, height, width}, static_cast<int>(hr.size(0)), options_.seed);
  pairs.hr = cut_hr(pairs.hr, recipes.front());
  pairs.lr = degrade(pairs.hr, recipes);
  if (pairs.lr.size(2) * scale != height || pairs.lr.size(3) * scale != width) {
    throw Error(fmt::format("{} does not end at the LR size", pipeline_.name));
  }
  RandomStream stream(options_.seed, item, "training pairs");
  if (options_.hr_size > 0) pairs = paired_crop(pairs, options_.hr_size, scale, stream);
  return pool_ ? pool_->exchange(pairs, stream) : pairs;
}

}  // namespace sr
