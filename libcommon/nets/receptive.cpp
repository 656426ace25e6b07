#include "nets/receptive.h"

#include <algorithm>

namespace sr {
namespace {

int64_t floor_division(int64_t value, int64_t divisor) {
  return value >= 0 ? value / divisor : -((-value + divisor - 1) / divisor);
}

}  // namespace

ReceptiveRadius& ReceptiveRadius::reach(int64_t pixels) {
  steps_.push_back({Kind::reach, pixels});
  return *this;
}

ReceptiveRadius& ReceptiveRadius::enlarge(int64_t factor) {
  steps_.push_back({Kind::enlarge, factor});
  return *this;
}

ReceptiveRadius& ReceptiveRadius::unshuffle(int64_t factor) {
  steps_.push_back({Kind::unshuffle, factor});
  return *this;
}

/// The pixels that a layer reads to make the pixels `seen`.
ReceptiveRadius::Interval ReceptiveRadius::before(const Step& step, Interval seen) {
  const int64_t n = step.amount;
  switch (step.kind) {
    case Kind::reach: return {seen.first - n, seen.last + n};
    case Kind::enlarge: return {floor_division(seen.first, n), floor_division(seen.last, n)};
    case Kind::unshuffle: break;
  }
  return {seen.first * n, seen.last * n + n - 1};
}

int ReceptiveRadius::pixels() const {
  int64_t enlarged = 1, unshuffled = 1;
  for (const Step& step : steps_) {
    if (step.kind == Kind::enlarge) enlarged *= step.amount;
    if (step.kind == Kind::unshuffle) unshuffled *= step.amount;
  }
  int64_t radius = 0;
  for (int64_t place = 0; place < enlarged; ++place) {  // all grids repeat after so many output pixels
    Interval seen{place, place};
    for (const Step& step : steps_) seen = before(step, seen);
    const int64_t self = place * unshuffled / enlarged;
    radius = std::max({radius, self - seen.first, seen.last - self});
  }
  return static_cast<int>(radius);
}

}  // namespace sr
