#include "nets/winograd_passes.h"

#include <algorithm>

#include "nets/winograd_transforms.h"

namespace sr::winograd {
namespace {

#pragma GCC push_options
#pragma GCC optimize("fp-contract=fast")

constexpr std::int64_t kCorrelated = 36;  // points of 3x3 kernels, the only ones that gradients are for

struct Place {
  std::int64_t image = 0, y = 0, x = 0;  ///< of the tile's first output
};

Place place_of(const Grid& grid, std::int64_t tile) {
  const std::int64_t row = tile / grid.columns;
  return {row / grid.rows, row % grid.rows * kStep, tile % grid.columns * kStep};
}

/// The pixels of a square of `kSide` whose corner lies `margin` before the tile's, those beyond the border
/// all zero.
template <int kSide, class Element>
[[gnu::always_inline]] inline void find_pixels(const Grid& grid, const Images& images, std::int64_t tile,
                                               std::int64_t margin, const void* zeros,
                                               const Element** pixels) {
  const Place place = place_of(grid, tile);
  const auto* const data = static_cast<const Element*>(images.data);
  for (std::int64_t i = 0; i < kSide; ++i) {
    const std::int64_t y = place.y - margin + i;
    for (std::int64_t j = 0; j < kSide; ++j) {
      const std::int64_t x = place.x - margin + j;
      const bool inside = y >= 0 && y < grid.height && x >= 0 && x < grid.width;
      pixels[i * kSide + j] =
          inside ? data + ((place.image * grid.height + y) * grid.width + x) * images.channels
                 : static_cast<const Element*>(zeros);
    }
  }
}

/// The same of `tile` of the job and the next one, which is all zero beyond the last.
template <int kSide, class Element, class Job>
[[gnu::always_inline]] inline void find_pixels_of_pair(const Job& job, const Images& images,
                                                       std::int64_t tile, std::int64_t margin,
                                                       const Element** even, const Element** odd) {
  find_pixels<kSide>(*job.grid, images, job.first + tile, margin, job.zeros, even);
  std::fill_n(odd, kSide * kSide, static_cast<const Element*>(job.zeros));
  if (tile + 1 < job.tiles)
    find_pixels<kSide>(*job.grid, images, job.first + tile + 1, margin, job.zeros, odd);
}

/// A vector of channels of a tile's points to where they belong.
template <int kBytes, int kSide, class Element>
[[gnu::always_inline]] inline void write_points(const Vector<kBytes>* grid, Element* points,
                                                std::int64_t plane) {
  for (int i = 0; i < kSide * kSide; ++i) store<kBytes>(grid[i], points + i * plane);
}

/// The same of two tiles, as Form::tile_pairs.
template <int kBytes, int kSide>
[[gnu::always_inline]] inline void write_pairs(const Vector<kBytes>* even, const Vector<kBytes>* odd,
                                               float* points, std::int64_t plane) {
  for (int i = 0; i < kSide * kSide; ++i) store_pairs<kBytes>(even[i], odd[i], points + i * plane);
}

// --- transform -----------------------------------------------------------------------------------

/// The points of one tile, a vector of channels from `c` on.
template <int kBytes, int kSide, class Element, bool kActivated>
[[gnu::always_inline]] inline void transform_tile(const Transform& job, const Element** pixels,
                                                  std::int64_t c, Vector<kBytes>* grid) {
  Vector<kBytes> slope;
  if (kActivated) load<kBytes>(slope, job.slopes + c);
  for (int i = 0; i < kSide; ++i) {
    for (int j = 0; j < kSide; ++j) {
      auto& value = grid[i * kSide + j];
      load<kBytes>(value, pixels[i * kSide + j] + c);
      if (kActivated) value = value > 0 ? value : slope * value;
    }
    to_points<kBytes, kSide>(grid + i * kSide, 1);
  }
  for (int j = 0; j < kSide; ++j) to_points<kBytes, kSide>(grid + j, kSide);
}

/// `Point` is float, or Half for Form::halves.
template <int kBytes, int kSide, class Element, bool kActivated, class Point>
[[gnu::always_inline]] inline void transform_by(const Transform& job, Range tiles) {
  const std::int64_t channels = job.images.channels;
  const std::int64_t plane = plane_size(job.tiles, channels) * static_cast<std::int64_t>(sizeof(float)) /
                             static_cast<std::int64_t>(sizeof(Point));
  const Element* pixels[kSide * kSide];
  for (std::int64_t tile = tiles.first; tile < tiles.last; ++tile) {
    find_pixels<kSide>(*job.grid, job.images, job.first + tile, job.grid->margin, job.zeros, pixels);
    Point* const points = reinterpret_cast<Point*>(job.points) + tile * channels;
    for (std::int64_t c = 0; c < channels; c += VectorOf<kBytes>::kLanes) {
      Vector<kBytes> grid[kSide * kSide];
      transform_tile<kBytes, kSide, Element, kActivated>(job, pixels, c, grid);
      write_points<kBytes, kSide>(grid, points + c, plane);
    }
  }
}

template <int kBytes, int kSide, class Element, bool kActivated>
[[gnu::always_inline]] inline void transform_pairs(const Transform& job) {
  const std::int64_t channels = job.images.channels, plane = plane_size(job.tiles, channels);
  const Element *even[kSide * kSide], *odd[kSide * kSide];
  for (std::int64_t tile = 0; tile < job.tiles; tile += 2) {
    find_pixels_of_pair<kSide>(job, job.images, tile, job.grid->margin, even, odd);
    for (std::int64_t c = 0; c < channels; c += VectorOf<kBytes>::kLanes) {
      Vector<kBytes> first[kSide * kSide], second[kSide * kSide];
      transform_tile<kBytes, kSide, Element, kActivated>(job, even, c, first);
      transform_tile<kBytes, kSide, Element, kActivated>(job, odd, c, second);
      write_pairs<kBytes, kSide>(first, second, job.points + tile / 2 * channels + c, plane);
    }
  }
}

/// The forms that training takes: see Transform.
template <int kBytes, bool kActivated>
[[gnu::always_inline]] inline void transform_halves(const Transform& job, Range tiles) {
  switch (job.form) {
    case Form::floats: return transform_by<kBytes, 6, Half, kActivated, float>(job, tiles);
    case Form::halves: return transform_by<kBytes, 6, Half, kActivated, Half>(job, tiles);
    case Form::tile_pairs: transform_pairs<kBytes, 6, Half, kActivated>(job);
  }
}

template <int kBytes>
[[gnu::always_inline]] inline void transform_all(const Transform& job, Range tiles) {
  const bool activated = job.slopes != nullptr;
  if (job.images.half) {
    activated ? transform_halves<kBytes, true>(job, tiles) : transform_halves<kBytes, false>(job, tiles);
  } else if (job.grid->side == 8) {
    transform_by<kBytes, 8, float, false, float>(job, tiles);
  } else {
    activated ? transform_by<kBytes, 6, float, true, float>(job, tiles)
              : transform_by<kBytes, 6, float, false, float>(job, tiles);
  }
}

// --- products ------------------------------------------------------------------------------------

template <int kBytes, int kRows, int kVectors>
[[gnu::always_inline]] inline void multiply_by(const Products& job, Range items) {
  constexpr int kWidth = kVectors * VectorOf<kBytes>::kLanes;
  const std::int64_t blocks = job.out / kColumns;
  for (std::int64_t item = items.first; item < items.last; ++item) {
    const std::int64_t point = item / blocks, block = item % blocks;
    const float* const inputs = job.inputs + point * plane_size(job.tiles, job.in);
    const float* const weight = static_cast<const float*>(job.weight) + item * job.in * kColumns;
    float* const products = job.products + point * plane_size(job.tiles, job.out) + block * kColumns;
    for (std::int64_t t = 0; t < job.tiles; t += kRows) {
      const std::int64_t tile = std::min(t, job.tiles - kRows);  // the last block may do some tiles again
      for (std::int64_t v = 0; v < kColumns; v += kWidth) {
        multiply_block<kBytes, kRows, kVectors, false>(inputs + tile * job.in, job.in, 1, weight + v,
                                                       kColumns, job.in, products + tile * job.out + v,
                                                       job.out);
      }
    }
  }
}

template <int kBytes, int kRows, int kVectors>
[[gnu::always_inline]] inline void multiply_all(const Products& job, Range items) {
  if (job.tiles >= kRows) return multiply_by<kBytes, kRows, kVectors>(job, items);
  multiply_by<kBytes, 1, kVectors>(job, items);
}

template <int kBytes, int kRows>
[[gnu::always_inline]] inline void correlate_all(const Correlate& job) {
  constexpr int kLanes = VectorOf<kBytes>::kLanes;
  static_assert(16 % kRows == 0 && 16 % kLanes == 0);
  for (std::int64_t point = 0; point < kCorrelated; ++point) {
    const float* const inputs = job.inputs + point * plane_size(job.tiles, job.in);
    const float* const gradients = job.gradients + point * plane_size(job.tiles, job.out);
    float* const sums = job.sums + point * job.in * job.out;
    for (std::int64_t i = 0; i < job.in; i += kRows) {
      std::int64_t o = 0;
      for (; o + 2 * kLanes <= job.out; o += 2 * kLanes) {
        multiply_block<kBytes, kRows, 2, true>(inputs + i, 1, job.in, gradients + o, job.out, job.tiles,
                                               sums + i * job.out + o, job.out);
      }
      if (o == job.out) continue;
      multiply_block<kBytes, kRows, 1, true>(inputs + i, 1, job.in, gradients + o, job.out, job.tiles,
                                             sums + i * job.out + o, job.out);
    }
  }
}

// --- finish --------------------------------------------------------------------------------------

/// One vector of channels of one tile; its outputs are the first kStep of the first kStep rows of `grid`.
template <int kBytes, int kSide>
[[gnu::always_inline]] inline void read_outputs(const Finish& job, std::int64_t tile, std::int64_t c,
                                                Vector<kBytes>* grid) {
  const std::int64_t plane = plane_size(job.tiles, job.channels);
  const float* const products = job.products + tile * job.channels + c;
  for (int j = 0; j < kSide; ++j) {
    for (int i = 0; i < kSide; ++i) load<kBytes>(grid[i * kSide + j], products + (i * kSide + j) * plane);
    from_points<kBytes, kSide>(grid + j, kSide);
  }
  for (int i = 0; i < kStep; ++i) from_points<kBytes, kSide>(grid + i * kSide, 1);
}

template <int kBytes, class Element>
[[gnu::always_inline]] inline void finish_value(const Finish& job, std::int64_t offset, std::int64_t c,
                                                Vector<kBytes>& value) {
  if (job.bias != nullptr) {
    Vector<kBytes> bias;
    load<kBytes>(bias, job.bias + c);
    value += bias;
  }
  if (job.relu) value = value > 0 ? value : Vector<kBytes>{};
  store<kBytes>(value, static_cast<Element*>(job.outputs.data) + offset);
}

template <int kBytes, class Element>
[[gnu::always_inline]] inline void finish_gradient(const Finish& job, std::int64_t offset, std::int64_t c,
                                                   Vector<kBytes>& value) {
  Vector<kBytes> before, slope, sum;
  load<kBytes>(before, static_cast<const Element*>(job.before) + offset);
  load<kBytes>(slope, job.slopes + c);
  load<kBytes>(sum, job.slope_sums + c);
  sum += before > 0 ? Vector<kBytes>{} : value * before;
  store<kBytes>(sum, job.slope_sums + c);
  value = before > 0 ? value : slope * value;
  store<kBytes>(value, static_cast<Element*>(job.outputs.data) + offset);
}

template <int kBytes, int kSide, class Element, bool kActivated>
[[gnu::always_inline]] inline void finish_by(const Finish& job, Range tiles) {
  const Grid& grid = *job.grid;
  const std::int64_t channels = job.outputs.channels;
  for (std::int64_t tile = tiles.first; tile < tiles.last; ++tile) {
    const Place place = place_of(grid, job.first + tile);
    const std::int64_t corner = ((place.image * grid.height + place.y) * grid.width + place.x) * channels;
    const auto rows = std::min(kStep, grid.height - place.y), columns = std::min(kStep, grid.width - place.x);
    for (std::int64_t c = 0; c < channels; c += VectorOf<kBytes>::kLanes) {
      Vector<kBytes> values[kSide * kSide];
      read_outputs<kBytes, kSide>(job, tile, c, values);
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < columns; ++j) {
          const std::int64_t offset = corner + (i * grid.width + j) * channels + c;
          if (kActivated) {
            finish_gradient<kBytes, Element>(job, offset, c, values[i * kSide + j]);
          } else {
            finish_value<kBytes, Element>(job, offset, c, values[i * kSide + j]);
          }
        }
      }
    }
  }
}

template <int kBytes, int kSide, class Element>
[[gnu::always_inline]] inline void finish_elements(const Finish& job, Range tiles) {
  if (job.slopes != nullptr) return finish_by<kBytes, kSide, Element, true>(job, tiles);
  finish_by<kBytes, kSide, Element, false>(job, tiles);
}

template <int kBytes, int kSide>
[[gnu::always_inline]] inline void finish_sides(const Finish& job, Range tiles) {
  if (job.outputs.half) return finish_elements<kBytes, kSide, Half>(job, tiles);
  finish_elements<kBytes, kSide, float>(job, tiles);
}

template <int kBytes>
[[gnu::always_inline]] inline void finish_all(const Finish& job, Range tiles) {
  if (job.grid->side == 8) return finish_sides<kBytes, 8>(job, tiles);
  finish_sides<kBytes, 6>(job, tiles);
}

// --- spread --------------------------------------------------------------------------------------

/// As transform_tile().
template <int kBytes, int kSide, class Element>
[[gnu::always_inline]] inline void spread_tile(const Spread& job, const Element** pixels, std::int64_t c,
                                               Vector<kBytes>* grid) {
  Vector<kBytes> sum;
  load<kBytes>(sum, job.sums + c);
  for (int i = 0; i < kStep; ++i) {
    for (int j = 0; j < kStep; ++j) {
      load<kBytes>(grid[i * kSide + j], pixels[i * kStep + j] + c);
      sum += grid[i * kSide + j];
    }
    spread_to_points<kBytes, kSide>(grid + i * kSide, 1);
  }
  store<kBytes>(sum, job.sums + c);
  for (int j = 0; j < kSide; ++j) spread_to_points<kBytes, kSide>(grid + j, kSide);
}

template <int kBytes, int kSide, class Element>
[[gnu::always_inline]] inline void spread_by(const Spread& job) {
  const std::int64_t channels = job.gradients.channels, plane = plane_size(job.tiles, channels);
  const Element* pixels[kStep * kStep];
  for (std::int64_t tile = 0; tile < job.tiles; ++tile) {
    find_pixels<kStep>(*job.grid, job.gradients, job.first + tile, 0, job.zeros, pixels);
    for (std::int64_t c = 0; c < channels; c += VectorOf<kBytes>::kLanes) {
      Vector<kBytes> grid[kSide * kSide];
      spread_tile<kBytes, kSide>(job, pixels, c, grid);
      write_points<kBytes, kSide>(grid, job.points + tile * channels + c, plane);
    }
  }
}

template <int kBytes, int kSide, class Element>
[[gnu::always_inline]] inline void spread_pairs(const Spread& job) {
  const std::int64_t channels = job.gradients.channels, plane = plane_size(job.tiles, channels);
  const Element *even[kStep * kStep], *odd[kStep * kStep];
  for (std::int64_t tile = 0; tile < job.tiles; tile += 2) {
    find_pixels_of_pair<kStep>(job, job.gradients, tile, 0, even, odd);
    for (std::int64_t c = 0; c < channels; c += VectorOf<kBytes>::kLanes) {
      Vector<kBytes> first[kSide * kSide], second[kSide * kSide];
      spread_tile<kBytes, kSide>(job, even, c, first);
      spread_tile<kBytes, kSide>(job, odd, c, second);
      write_pairs<kBytes, kSide>(first, second, job.points + tile / 2 * channels + c, plane);
    }
  }
}

template <int kBytes>
[[gnu::always_inline]] inline void spread_all(const Spread& job) {
  if (job.form == Form::tile_pairs) return spread_pairs<kBytes, 6, Half>(job);
  job.gradients.half ? spread_by<kBytes, 6, Half>(job) : spread_by<kBytes, 6, float>(job);
}

// --- products of bfloat16 ------------------------------------------------------------------------

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
template <int kRows>
[[SR_BFLOAT16, gnu::always_inline]] inline void multiply_halves_by(const Products& job, Range items) {
  const std::int64_t blocks = job.out / kColumns, pairs = job.in / 2;
  for (std::int64_t item = items.first; item < items.last; ++item) {
    const std::int64_t point = item / blocks, block = item % blocks;
    const float* const inputs = job.inputs + point * plane_size(job.tiles, job.in);
    const float* const weight = static_cast<const float*>(job.weight) + item * pairs * kColumns;
    float* const products = job.products + point * plane_size(job.tiles, job.out) + block * kColumns;
    for (std::int64_t t = 0; t < job.tiles; t += kRows) {
      const std::int64_t tile = std::min(t, job.tiles - kRows);
      multiply_pairs<kRows, false>(inputs + tile * pairs, pairs, 1, weight, kColumns, pairs,
                                   products + tile * job.out, job.out);
    }
  }
}

[[SR_BFLOAT16]] void multiply_halves(const Products& job, Range items) {
  if (job.tiles >= 12) return multiply_halves_by<12>(job, items);
  multiply_halves_by<1>(job, items);
}

[[SR_BFLOAT16]] void correlate_pairs(const Correlate& job) {
  constexpr int kRows = 8;
  for (std::int64_t point = 0; point < kCorrelated; ++point) {
    const float* const inputs = job.inputs + point * plane_size(job.tiles, job.in);
    const float* const gradients = job.gradients + point * plane_size(job.tiles, job.out);
    float* const sums = job.sums + point * job.in * job.out;
    for (std::int64_t i = 0; i < job.in; i += kRows) {
      for (std::int64_t o = 0; o < job.out; o += kColumns) {
        multiply_pairs<kRows, true>(inputs + i, 1, job.in, gradients + o, job.out, (job.tiles + 1) / 2,
                                    sums + i * job.out + o, job.out);
      }
    }
  }
}
#else
void multiply_halves(const Products&, Range) {}  // never called: see has_bfloat16()
void correlate_pairs(const Correlate&) {}
#endif

// --- one for each kind of processor --------------------------------------------------------------

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
[[gnu::target("default")]] void run(const Transform& job, Range tiles) { transform_all<16>(job, tiles); }
[[gnu::target("arch=x86-64-v3")]] void run(const Transform& job, Range tiles) {
  transform_all<32>(job, tiles);
}
[[gnu::target("arch=x86-64-v4")]] void run(const Transform& job, Range tiles) {
  transform_all<64>(job, tiles);
}
[[gnu::target("default")]] void run(const Products& job, Range items) { multiply_all<16, 6, 2>(job, items); }
[[gnu::target("arch=x86-64-v3")]] void run(const Products& job, Range items) {
  multiply_all<32, 6, 2>(job, items);
}
[[gnu::target("arch=x86-64-v4")]] void run(const Products& job, Range items) {
  multiply_all<64, 12, 2>(job, items);
}
[[gnu::target("default")]] void run(const Finish& job, Range tiles) { finish_all<16>(job, tiles); }
[[gnu::target("arch=x86-64-v3")]] void run(const Finish& job, Range tiles) { finish_all<32>(job, tiles); }
[[gnu::target("arch=x86-64-v4")]] void run(const Finish& job, Range tiles) { finish_all<64>(job, tiles); }
[[gnu::target("default")]] void run(const Spread& job) { spread_all<16>(job); }
[[gnu::target("arch=x86-64-v3")]] void run(const Spread& job) { spread_all<32>(job); }
[[gnu::target("arch=x86-64-v4")]] void run(const Spread& job) { spread_all<64>(job); }
[[gnu::target("default")]] void run(const Correlate& job) { correlate_all<16, 4>(job); }
[[gnu::target("arch=x86-64-v3")]] void run(const Correlate& job) { correlate_all<32, 4>(job); }
[[gnu::target("arch=x86-64-v4")]] void run(const Correlate& job) { correlate_all<64, 8>(job); }
#else
void run(const Transform& job, Range tiles) { transform_all<16>(job, tiles); }
void run(const Products& job, Range items) { multiply_all<16, 6, 2>(job, items); }
void run(const Finish& job, Range tiles) { finish_all<16>(job, tiles); }
void run(const Spread& job) { spread_all<16>(job); }
void run(const Correlate& job) { correlate_all<16, 4>(job); }
#endif

#pragma GCC pop_options

}  // namespace

// Other files see no choice of processors, and so would take the first.
void transform(const Transform& job, Range tiles) { run(job, tiles); }
void multiply(const Products& job, Range items) {
  job.halves ? multiply_halves(job, items) : run(job, items);
}
void finish(const Finish& job, Range tiles) { run(job, tiles); }
void spread(const Spread& job) { run(job); }
void correlate(const Correlate& job) { job.pairs ? correlate_pairs(job) : run(job); }

Grid::Grid(std::int64_t images, std::int64_t height, std::int64_t width, std::int64_t kernel)
    : height(height),
      width(width),
      side(kStep + kernel - 1),
      margin(kernel / 2),
      rows((height + kStep - 1) / kStep),
      columns((width + kStep - 1) / kStep),
      count(images * rows * columns) {}

}  // namespace sr::winograd
