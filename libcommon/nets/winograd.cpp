#include "nets/winograd.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/simd.h"

namespace sr {
namespace {

constexpr std::int64_t kStep = 4;      // side of a tile of outputs
constexpr std::int64_t kColumns = 32;  // output channels whose sums are held in registers together
constexpr std::int64_t kFewestTiles = 16;

/// Where polynomials are evaluated besides 0 and infinity: at these points, and at their negatives. A tile of
/// inputs has as many values a side as there are points in all; so have the transforms.
template <int kSide>
constexpr std::array<double, kSide / 2 - 1> kPoints{};
template <>
constexpr std::array<double, 2> kPoints<6>{0.70710678118654752, 1.4142135623730951};  // for 3x3 kernels
template <>
constexpr std::array<double, 3> kPoints<8>{0.5, 1, 2};  // for 5x5

constexpr std::int64_t tile_side(std::int64_t kernel) { return kStep + kernel - 1; }

/// Sums and products of one stretch of tiles, all its channels.
struct Stretch {
  std::int64_t first = 0, count = 0;
};

/// A batch of images cut into tiles, and what is written where. Tiles go from left to right, down, and from
/// image to image.
struct Job {
  const float* images = nullptr;  ///< [N,H,W,in]
  float* outputs = nullptr;       ///< [N,H,W,out]
  const float* weight = nullptr;
  const float* bias = nullptr;
  const float* zeros = nullptr;  ///< [in]: a pixel beyond the border
  bool relu = false;
  std::int64_t height = 0, width = 0, in = 0, out = 0;
  std::int64_t side = 6;                          ///< of a tile of inputs
  std::int64_t margin = 1;                        ///< inputs before the first output
  std::int64_t rows = 0, columns = 0, count = 0;  ///< of tiles: in an image, and in all
  Stretch tiles;
  float* inputs = nullptr;    ///< [side^2][tiles.count][in], transformed
  float* products = nullptr;  ///< [side^2][tiles.count][out]
};

struct Place {
  std::int64_t image = 0, y = 0, x = 0;  ///< of the tile's first output
};

Place place_of(const Job& job, std::int64_t tile) {
  const std::int64_t row = tile / job.columns;
  return {row / job.rows, row % job.rows * kStep, tile % job.columns * kStep};
}

#pragma GCC push_options
#pragma GCC optimize("fp-contract=fast")

// Vectors are of the compiler's own kind, as it keeps no array of sums in registers. What follows are
// templates on their size in bytes, to be inlined into one plain function for each kind of processor.

constexpr int kLeastBytes = 16;  // on any processor; wider ones come with fused multiplication and addition

template <int kBytes>
struct VectorOf {
  using Aligned [[gnu::vector_size(kBytes)]] = float;
  using InMemory [[gnu::vector_size(kBytes), gnu::aligned(alignof(float)), gnu::may_alias]] = float;
  static constexpr int kLanes = kBytes / sizeof(float);
};

template <int kBytes>
using Vector = typename VectorOf<kBytes>::Aligned;

template <int kBytes>
[[gnu::always_inline]] inline void load(Vector<kBytes>& vector, const float* from) {
  vector = *reinterpret_cast<const typename VectorOf<kBytes>::InMemory*>(from);
}

template <int kBytes>
[[gnu::always_inline]] inline void store(const Vector<kBytes>& vector, float* to) {
  *reinterpret_cast<typename VectorOf<kBytes>::InMemory*>(to) = vector;
}

// --- points --------------------------------------------------------------------------------------

/// The numbers of a transform, for the compiler to write into the code.
template <int kSide>
struct Table {
  static constexpr int kPairs = kSide / 2 - 1;
  using EvenPolynomial = std::array<float, kPairs + 1>;  // coefficients of 1, x^2, x^4...

  /// The product of (x^2 - q^2) over all points q, and over all but one.
  EvenPolynomial all = without(-1);
  std::array<EvenPolynomial, kPairs> others{};
  std::array<std::array<float, kStep>, kPairs> powers{};

  constexpr Table() {
    for (int i = 0; i < kPairs; ++i) {
      others[i] = without(i);
      double power = 1;
      for (int k = 0; k < kStep; ++k, power *= kPoints<kSide>[i]) powers[i][k] = static_cast<float>(power);
    }
  }

  static constexpr EvenPolynomial without(int left_out) {
    std::array<double, kPairs + 1> product{1};
    for (int i = 0; i < kPairs; ++i) {
      if (i == left_out) continue;
      const double square = kPoints<kSide>[i] * kPoints<kSide>[i];
      for (int k = kPairs; k > 0; --k) product[k] = product[k - 1] - square * product[k];
      product[0] *= -square;
    }
    EvenPolynomial rounded{};
    for (int k = 0; k <= kPairs; ++k) rounded[k] = static_cast<float>(product[k]);
    return rounded;
  }
};

/// One side of a tile to what the points make of it: d -> B^T d, `stride` vectors apart. A point's row holds
/// the coefficients of the polynomial that is zero at all other points.
template <int kBytes, int kSide>
[[gnu::always_inline]] inline void to_points(Vector<kBytes>* values, int stride) {
  constexpr Table<kSide> table;
  constexpr int kPairs = table.kPairs;
  Vector<kBytes> d[kSide];
#pragma GCC unroll 8
  for (int i = 0; i < kSide; ++i) d[i] = values[i * stride];
  Vector<kBytes> zero = d[kSide - 2], infinity = d[kSide - 1];
#pragma GCC unroll 8
  for (int k = 0; k < kPairs; ++k) {
    zero += table.all[k] * d[2 * k];
    infinity += table.all[k] * d[2 * k + 1];
  }
  values[0] = zero;
  values[(kSide - 1) * stride] = infinity;
#pragma GCC unroll 8
  for (int i = 0; i < kPairs; ++i) {
    Vector<kBytes> even = d[kSide - 2], odd = d[kSide - 3];
#pragma GCC unroll 8
    for (int k = 0; k < kPairs - 1; ++k) {
      even += table.others[i][k] * d[2 * k + 2];
      odd += table.others[i][k] * d[2 * k + 1];
    }
    odd *= table.powers[i][1];
    values[(2 * i + 1) * stride] = even + odd;
    values[(2 * i + 2) * stride] = even - odd;
  }
}

/// One side's points to kStep outputs: m -> A^T m, `stride` vectors apart. Column i holds a point's powers.
template <int kBytes, int kSide>
[[gnu::always_inline]] inline void from_points(Vector<kBytes>* values, int stride) {
  constexpr Table<kSide> table;
  constexpr int kPairs = table.kPairs;
  Vector<kBytes> outputs[kStep] = {};
  outputs[0] = values[0];
  outputs[kStep - 1] = values[(kSide - 1) * stride];
#pragma GCC unroll 8
  for (int i = 0; i < kPairs; ++i) {
    const auto plus = values[(2 * i + 1) * stride], minus = values[(2 * i + 2) * stride];
    const auto sum = plus + minus, difference = plus - minus;
#pragma GCC unroll 8
    for (int k = 0; k < kStep; ++k) outputs[k] += table.powers[i][k] * (k % 2 == 0 ? sum : difference);
  }
#pragma GCC unroll 8
  for (int k = 0; k < kStep; ++k) values[k * stride] = outputs[k];
}

// --- inputs --------------------------------------------------------------------------------------

/// The pixels of a tile, those beyond the border all zero.
template <int kSide>
[[gnu::always_inline]] inline void find_pixels(const Job& job, std::int64_t tile, const float** pixels) {
  const Place place = place_of(job, tile);
  for (std::int64_t i = 0; i < kSide; ++i) {
    const std::int64_t y = place.y - job.margin + i;
    for (std::int64_t j = 0; j < kSide; ++j) {
      const std::int64_t x = place.x - job.margin + j;
      const bool inside = y >= 0 && y < job.height && x >= 0 && x < job.width;
      pixels[i * kSide + j] =
          inside ? job.images + ((place.image * job.height + y) * job.width + x) * job.in : job.zeros;
    }
  }
}

template <int kBytes, int kSide>
[[gnu::always_inline]] inline void transform_by(const Job& job, std::int64_t begin, std::int64_t end) {
  constexpr int kLanes = VectorOf<kBytes>::kLanes;
  const std::int64_t plane = job.tiles.count * job.in;
  const float* pixels[kSide * kSide];
  for (std::int64_t tile = begin; tile < end; ++tile) {
    find_pixels<kSide>(job, job.tiles.first + tile, pixels);
    float* const out = job.inputs + tile * job.in;
    for (std::int64_t c = 0; c < job.in; c += kLanes) {
      Vector<kBytes> grid[kSide * kSide];
      for (int i = 0; i < kSide; ++i) {
        for (int j = 0; j < kSide; ++j) load<kBytes>(grid[i * kSide + j], pixels[i * kSide + j] + c);
        to_points<kBytes, kSide>(grid + i * kSide, 1);
      }
      for (int j = 0; j < kSide; ++j) {
        to_points<kBytes, kSide>(grid + j, kSide);
        for (int i = 0; i < kSide; ++i) store<kBytes>(grid[i * kSide + j], out + (i * kSide + j) * plane + c);
      }
    }
  }
}

// --- products ------------------------------------------------------------------------------------

/// kRows tiles by kVectors vectors of output channels, summed over the input channels.
template <int kBytes, int kRows, int kVectors>
[[gnu::always_inline]] inline void multiply_block(const float* inputs, std::int64_t in, const float* weight,
                                                  float* products, std::int64_t out) {
  constexpr int kLanes = VectorOf<kBytes>::kLanes;
  Vector<kBytes> sums[kRows][kVectors] = {};
  for (std::int64_t k = 0; k < in; ++k) {
    Vector<kBytes> factors[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) load<kBytes>(factors[v], weight + k * kColumns + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] += inputs[r * in + k] * factors[v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) store<kBytes>(sums[r][v], products + r * out + v * kLanes);
  }
}

/// Work items are pairs of a point and a block of output channels.
template <int kBytes, int kRows, int kVectors>
[[gnu::always_inline]] inline void multiply_by(const Job& job, std::int64_t begin, std::int64_t end) {
  constexpr int kWidth = kVectors * VectorOf<kBytes>::kLanes;
  const std::int64_t blocks = job.out / kColumns, tiles = job.tiles.count;
  for (std::int64_t item = begin; item < end; ++item) {
    const std::int64_t point = item / blocks, block = item % blocks;
    const float* const inputs = job.inputs + point * tiles * job.in;
    const float* const weight = job.weight + item * job.in * kColumns;
    float* const products = job.products + point * tiles * job.out + block * kColumns;
    for (std::int64_t t = 0; t < tiles; t += kRows) {
      const std::int64_t tile = std::min(t, tiles - kRows);  // the last block may do some tiles again
      for (std::int64_t v = 0; v < kColumns; v += kWidth) {
        multiply_block<kBytes, kRows, kVectors>(inputs + tile * job.in, job.in, weight + v,
                                                products + tile * job.out + v, job.out);
      }
    }
  }
}

// --- outputs -------------------------------------------------------------------------------------

template <int kBytes, int kSide>
[[gnu::always_inline]] inline void finish_by(const Job& job, std::int64_t begin, std::int64_t end) {
  constexpr int kLanes = VectorOf<kBytes>::kLanes;
  const std::int64_t plane = job.tiles.count * job.out;
  for (std::int64_t tile = begin; tile < end; ++tile) {
    const Place place = place_of(job, job.tiles.first + tile);
    float* const corner =
        job.outputs + ((place.image * job.height + place.y) * job.width + place.x) * job.out;
    const auto rows = static_cast<int>(std::min(kStep, job.height - place.y)),
               columns = static_cast<int>(std::min(kStep, job.width - place.x));
    for (std::int64_t c = 0; c < job.out; c += kLanes) {
      Vector<kBytes> grid[kSide * kSide], bias;
      load<kBytes>(bias, job.bias + c);
      const float* const products = job.products + tile * job.out + c;
      for (int j = 0; j < kSide; ++j) {
        for (int i = 0; i < kSide; ++i) load<kBytes>(grid[i * kSide + j], products + (i * kSide + j) * plane);
        from_points<kBytes, kSide>(grid + j, kSide);
      }
      for (int i = 0; i < rows; ++i) {
        from_points<kBytes, kSide>(grid + i * kSide, 1);
        for (int j = 0; j < columns; ++j) {
          Vector<kBytes> y = grid[i * kSide + j] + bias;
          if (job.relu) y = y > 0 ? y : Vector<kBytes>{};
          store<kBytes>(y, corner + (i * job.width + j) * job.out + c);
        }
      }
    }
  }
}

// --- one for each kind of processor --------------------------------------------------------------

template <int kBytes, int kRows, int kVectors>
[[gnu::always_inline]] inline void multiply_all(const Job& job, std::int64_t begin, std::int64_t end) {
  if (job.tiles.count >= kRows) return multiply_by<kBytes, kRows, kVectors>(job, begin, end);
  multiply_by<kBytes, 1, kVectors>(job, begin, end);
}

template <int kBytes>
[[gnu::always_inline]] inline void transform_all(const Job& job, std::int64_t begin, std::int64_t end) {
  if (job.side == 8) return transform_by<kBytes, 8>(job, begin, end);
  transform_by<kBytes, 6>(job, begin, end);
}

template <int kBytes>
[[gnu::always_inline]] inline void finish_all(const Job& job, std::int64_t begin, std::int64_t end) {
  if (job.side == 8) return finish_by<kBytes, 8>(job, begin, end);
  finish_by<kBytes, 6>(job, begin, end);
}

using Range = std::array<std::int64_t, 2>;

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
[[gnu::target("default")]] void transform(const Job& job, Range r) {
  transform_all<kLeastBytes>(job, r[0], r[1]);
}
[[gnu::target("arch=x86-64-v3")]] void transform(const Job& job, Range r) {
  transform_all<32>(job, r[0], r[1]);
}
[[gnu::target("arch=x86-64-v4")]] void transform(const Job& job, Range r) {
  transform_all<64>(job, r[0], r[1]);
}
[[gnu::target("default")]] void multiply(const Job& job, Range r) {
  multiply_all<kLeastBytes, 6, 2>(job, r[0], r[1]);
}
[[gnu::target("arch=x86-64-v3")]] void multiply(const Job& job, Range r) {
  multiply_all<32, 6, 2>(job, r[0], r[1]);
}
[[gnu::target("arch=x86-64-v4")]] void multiply(const Job& job, Range r) {
  multiply_all<64, 12, 2>(job, r[0], r[1]);
}
[[gnu::target("default")]] void finish(const Job& job, Range r) { finish_all<kLeastBytes>(job, r[0], r[1]); }
[[gnu::target("arch=x86-64-v3")]] void finish(const Job& job, Range r) { finish_all<32>(job, r[0], r[1]); }
[[gnu::target("arch=x86-64-v4")]] void finish(const Job& job, Range r) { finish_all<64>(job, r[0], r[1]); }
#else
void transform(const Job& job, Range r) { transform_all<kLeastBytes>(job, r[0], r[1]); }
void multiply(const Job& job, Range r) { multiply_all<kLeastBytes, 6, 2>(job, r[0], r[1]); }
void finish(const Job& job, Range r) { finish_all<kLeastBytes>(job, r[0], r[1]); }
#endif

#pragma GCC pop_options

// --- weights -------------------------------------------------------------------------------------

/// [side,kernel]: a kernel's value at each point, over what the interpolation divides by.
template <int kSide>
Tensor kernel_points(std::int64_t kernel) {
  std::vector<double> points{0};
  for (const double point : kPoints<kSide>) {
    points.push_back(point);
    points.push_back(-point);
  }
  Tensor matrix = at::zeros({kSide, kernel}, at::kDouble);
  auto values = matrix.accessor<double, 2>();
  for (std::size_t i = 0; i < points.size(); ++i) {
    double divisor = 1, value = 1;
    for (std::size_t j = 0; j < points.size(); ++j) divisor *= i == j ? 1 : points[i] - points[j];
    for (std::int64_t j = 0; j < kernel; ++j, value *= points[i]) {
      values[static_cast<std::int64_t>(i)][j] = value / divisor;
    }
  }
  values[kSide - 1][kernel - 1] = 1;
  return matrix;
}

/// What one input channel's kernels for kColumns outputs become.
struct KernelJob {
  const float* weight;   ///< of the first output; an output's next weight is `in` floats on
  float* transformed;    ///< of the first point
  const double* points;  ///< [side,kernel]
  std::int64_t in, kernel, side;
  std::int64_t plane;  ///< floats from one point's weights to the next point's
};

/// In float64: across the rows of each kernel first, then across what came out.
SR_VECTORISED void transform_kernels(const KernelJob& job) {
  constexpr std::int64_t kMostTaps = 5, kMostPoints = 8;
  const std::int64_t in = job.in, kernel = job.kernel, taps = kernel * kernel;
  double weights[kMostTaps][kMostTaps][kColumns], rows[kMostPoints][kMostTaps][kColumns], sums[kColumns];
  for (std::int64_t i = 0; i < taps; ++i) {
    for (std::int64_t o = 0; o < kColumns; ++o)
      weights[i / kernel][i % kernel][o] = job.weight[(o * taps + i) * in];
  }
  for (std::int64_t p = 0; p < job.side; ++p) {
    for (std::int64_t x = 0; x < kernel; ++x) {
      std::fill_n(rows[p][x], kColumns, 0.0);
      for (std::int64_t y = 0; y < kernel; ++y) {
        const double factor = job.points[p * kernel + y];
        for (std::int64_t o = 0; o < kColumns; ++o) rows[p][x][o] += factor * weights[y][x][o];
      }
    }
  }
  for (std::int64_t p = 0; p < job.side * job.side; ++p) {
    std::fill_n(sums, kColumns, 0.0);
    for (std::int64_t x = 0; x < kernel; ++x) {
      const double factor = job.points[p % job.side * kernel + x];
      for (std::int64_t o = 0; o < kColumns; ++o) sums[o] += factor * rows[p / job.side][x][o];
    }
    for (std::int64_t o = 0; o < kColumns; ++o)
      job.transformed[p * job.plane + o] = static_cast<float>(sums[o]);
  }
}

/// [out,in,kernel,kernel] -> [side^2][out / 32][in][32].
Tensor transformed(const Tensor& weight) {
  const std::int64_t out = weight.size(0), in = weight.size(1), kernel = weight.size(2);
  const Tensor points = kernel == 5 ? kernel_points<8>(kernel) : kernel_points<6>(kernel);
  const Tensor given = weight.detach().contiguous(at::MemoryFormat::ChannelsLast);
  const std::int64_t side = points.size(0);
  Tensor result = at::empty({side * side, out / kColumns, in, kColumns});
  at::parallel_for(0, out / kColumns * in, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t first = item / in * kColumns * kernel * kernel * in + item % in;
      transform_kernels({.weight = given.data_ptr<float>() + first,
                         .transformed = result.data_ptr<float>() + item * kColumns,
                         .points = points.data_ptr<double>(),
                         .in = in,
                         .kernel = kernel,
                         .side = side,
                         .plane = out * in});
    }
  });
  return result;
}

std::int64_t rounded_up_quotient(std::int64_t value, std::int64_t divisor) {
  return (value + divisor - 1) / divisor;
}

/// Tiles to do at once: so many that weights are read seldom, so few that the buffers stay in cache. Every
/// thread gets as many stretches; one alone is shared among all threads.
std::int64_t stretch_length(const Job& job) {
  constexpr std::int64_t kBufferBytes = 4 << 20, kFewest = 64;
  const std::int64_t bytes =
      job.side * job.side * (job.in + job.out) * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t most = std::max(kFewest, kBufferBytes / bytes), threads = at::get_num_threads();
  if (job.count < std::max(most, threads * kFewest)) return job.count;
  const std::int64_t rounds = rounded_up_quotient(job.count, most * threads);
  return rounded_up_quotient(job.count, rounds * threads);
}

/// Does `job.tiles`; by all threads, or by this one where it is one of several at work.
void run(const Job& job) {
  const auto run_part = [&job](std::int64_t items, void (*part)(const Job&, Range)) {
    at::parallel_for(0, items, 4, [&](std::int64_t begin, std::int64_t end) { part(job, {begin, end}); });
  };
  run_part(job.tiles.count, transform);
  run_part(job.side * job.side * (job.out / kColumns), multiply);
  run_part(job.tiles.count, finish);
}

/// Does the tiles from `begin` to `end`, `length` at a time, with buffers of its own.
void run(Job job, std::int64_t begin, std::int64_t end, std::int64_t length) {
  const std::int64_t points = job.side * job.side;
  const Tensor inputs = at::empty({points * length * job.in}),
               products = at::empty({points * length * job.out});
  job.inputs = inputs.data_ptr<float>();
  job.products = products.data_ptr<float>();
  for (std::int64_t first = begin; first < end; first += length) {
    job.tiles = {first, std::min(length, end - first)};
    run(job);
  }
}

}  // namespace

bool WinogradConv::suits(const Conv2d& layer) {
  const ConvOptions& o = layer.options();
  return (o.kernel == 3 || o.kernel == 5) && o.stride == 1 && o.padding == o.kernel / 2 && o.groups == 1 &&
         !o.transposed && layer.weight.scalar_type() == at::kFloat && layer.weight.device().is_cpu() &&
         layer.weight.size(0) % kColumns == 0 && layer.weight.size(1) % 16 == 0;
}

WinogradConv::WinogradConv(const Conv2d& layer)
    : in_(layer.weight.size(1)),
      out_(layer.weight.size(0)),
      kernel_(layer.weight.size(2)),
      weight_(transformed(layer.weight)),
      bias_(layer.bias.defined() ? layer.bias.detach().contiguous() : at::zeros({out_})) {}

bool WinogradConv::pays(const Tensor& images) const {
  const auto tiles = [](std::int64_t side) { return rounded_up_quotient(side, kStep); };
  return images.size(0) * tiles(images.size(2)) * tiles(images.size(3)) >= kFewestTiles;
}

Tensor WinogradConv::forward(const Tensor& images, bool relu) const {
  const Tensor input = images.contiguous(at::MemoryFormat::ChannelsLast);
  Tensor output = at::empty({input.size(0), out_, input.size(2), input.size(3)},
                            input.options().memory_format(at::MemoryFormat::ChannelsLast));
  const Tensor zeros = at::zeros({in_});
  Job job{.images = input.data_ptr<float>(),
          .outputs = output.data_ptr<float>(),
          .weight = weight_.data_ptr<float>(),
          .bias = bias_.data_ptr<float>(),
          .zeros = zeros.data_ptr<float>(),
          .relu = relu,
          .height = input.size(2),
          .width = input.size(3),
          .in = in_,
          .out = out_,
          .side = tile_side(kernel_),
          .margin = kernel_ / 2,
          .rows = rounded_up_quotient(input.size(2), kStep),
          .columns = rounded_up_quotient(input.size(3), kStep),
          .tiles = {}};
  job.count = input.size(0) * job.rows * job.columns;
  const std::int64_t length = stretch_length(job), stretches = rounded_up_quotient(job.count, length);
  const auto run_stretches = [&](std::int64_t begin, std::int64_t end) {
    run(job, begin * length, std::min(end * length, job.count), length);
  };
  if (stretches == 1) {
    run_stretches(0, 1);  // not in parallel_for: its parts are to be
  } else {
    at::parallel_for(0, stretches, 1, run_stretches);
  }
  return output;
}

}  // namespace sr
