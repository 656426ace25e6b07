#include "nets/winograd_weights.h"

#include <algorithm>

#include "core/simd.h"
#include "nets/winograd_passes.h"
#include "nets/winograd_transforms.h"

namespace sr::winograd {
namespace {

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

/// Sums of kernels' gradients at each point to those of each tap.
struct PointsJob {
  const float* sums;     ///< [parts][points] planes
  float* gradient;       ///< [taps] planes
  const float* factors;  ///< [points][taps]
  std::int64_t parts, points, taps;
  std::int64_t plane;  ///< floats from plane to plane
  std::int64_t count;  ///< to do in each
};

/// By our own loop: a small matrix product wakes a library's threads, which then take our threads' time.
SR_VECTORISED void combine_points(const PointsJob& job) {
  constexpr std::int64_t kBlock = 64;
  for (std::int64_t first = 0; first < job.count; first += kBlock) {
    const std::int64_t count = std::min(kBlock, job.count - first);
    for (std::int64_t tap = 0; tap < job.taps; ++tap) {
      float total[kBlock] = {};
      for (std::int64_t row = 0; row < job.parts * job.points; ++row) {
        const float factor = job.factors[row % job.points * job.taps + tap];
        const float* const sums = job.sums + row * job.plane + first;
        for (std::int64_t i = 0; i < count; ++i) total[i] += factor * sums[i];
      }
      std::copy_n(total, count, job.gradient + tap * job.plane + first);
    }
  }
}

Tensor points_of(std::int64_t kernel) {
  return kernel == 5 ? kernel_points<8>(kernel) : kernel_points<6>(kernel);
}

/// With zeros for outputs that are missing to a whole number of kColumns.
Tensor with_whole_columns(const Tensor& weight) {
  const std::int64_t missing = whole_columns(weight.size(0)) - weight.size(0);
  return missing == 0 ? weight : at::constant_pad_nd(weight, {0, 0, 0, 0, 0, 0, 0, missing});
}

}  // namespace

std::int64_t whole_columns(std::int64_t outputs) { return (outputs + kColumns - 1) / kColumns * kColumns; }

Tensor transformed_weight(const Tensor& weight) {
  const Tensor given = with_whole_columns(weight.detach()).contiguous(at::MemoryFormat::ChannelsLast);
  const std::int64_t out = given.size(0), in = given.size(1), kernel = given.size(2);
  const Tensor points = points_of(kernel);
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

Tensor paired_weight(const Tensor& transformed) {
  const Tensor pairs = transformed.unflatten(2, {transformed.size(2) / 2, 2}).transpose(3, 4);
  return pairs.to(at::kBFloat16).contiguous();
}

Tensor weight_gradient(const Tensor& sums, std::int64_t kernel) {
  const Tensor points = points_of(kernel), by_point = at::kron(points, points).to(at::kFloat);
  const std::int64_t parts = sums.size(0), side2 = sums.size(1), in = sums.size(2), out = sums.size(3);
  Tensor gradient = at::empty({kernel, kernel, in, out});
  at::parallel_for(0, in, 4, [&](std::int64_t begin, std::int64_t end) {
    combine_points({.sums = sums.data_ptr<float>() + begin * out,
                    .gradient = gradient.data_ptr<float>() + begin * out,
                    .factors = by_point.data_ptr<float>(),
                    .parts = parts,
                    .points = side2,
                    .taps = kernel * kernel,
                    .plane = in * out,
                    .count = (end - begin) * out});
  });
  return gradient.permute({3, 2, 0, 1});
}

}  // namespace sr::winograd
