#include "training/update_passes.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/simd.h"

namespace sr {
namespace {

/// In PyTorch's order of operations (torch/optim/adam.py _single_tensor_adam), nothing contracted.
[[gnu::always_inline]] inline float adam_updated(float p, float g, float& m, float& v,
                                                 const AdamFactors& by) {
  p *= by.keep;
  g += by.decay * p;
  m = m * by.beta1 + by.one_minus_beta1 * g;
  v = v * by.beta2 + by.one_minus_beta2 * g * g;
  return p - by.step_size * m / (std::sqrt(v) / by.root_of_bias2 + by.epsilon);
}

SR_VECTORISED void adam_values(float* __restrict p, const float* __restrict g, float* __restrict m,
                               float* __restrict v, std::int64_t n, AdamFactors by) {
  for (std::int64_t i = 0; i < n; ++i) {
    float first = m[i], second = v[i];
    p[i] = adam_updated(p[i], g[i], first, second, by);
    m[i] = first;
    v[i] = second;
  }
}

SR_VECTORISED void adam_and_average_values(float* __restrict p, const float* __restrict g,
                                           float* __restrict m, float* __restrict v,
                                           float* __restrict average, std::int64_t n, AdamFactors by,
                                           AverageFactors averages) {
  for (std::int64_t i = 0; i < n; ++i) {
    float first = m[i], second = v[i];
    const float updated = adam_updated(p[i], g[i], first, second, by);
    p[i] = updated;
    m[i] = first;
    v[i] = second;
    average[i] = average[i] * averages.decay + averages.one_minus_decay * updated;
  }
}

SR_VECTORISED void average_values(const float* __restrict p, float* __restrict average, std::int64_t n,
                                  AverageFactors by) {
  for (std::int64_t i = 0; i < n; ++i) average[i] = average[i] * by.decay + by.one_minus_decay * p[i];
}

/// Kept in as many parts for every processor, so that all give the same.
constexpr int kLanes = 16;

SR_VECTORISED double squares_of_values(const float* values, std::int64_t n) {
  double parts[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const double value = values[i + lane];
      parts[lane] += value * value;
    }
  }
  for (; i < n; ++i) parts[i % kLanes] += static_cast<double>(values[i]) * values[i];
  double sum = 0;
  for (const double part : parts) sum += part;
  return sum;
}

struct Block {
  const UpdateSpan* span;
  std::int64_t from, size;
};

/// Equal shares of work: a network has tensors of all sizes.
std::vector<Block> blocks_of(const std::vector<UpdateSpan>& spans) {
  constexpr std::int64_t block = 1 << 13;
  std::vector<Block> blocks;
  for (const UpdateSpan& span : spans) {
    for (std::int64_t begin = 0; begin < span.size; begin += block)
      blocks.push_back({&span, begin, std::min(block, span.size - begin)});
  }
  return blocks;
}

template <class Work>
void for_each_block(const std::vector<Block>& blocks, const Work& work) {
  at::parallel_for(0, static_cast<std::int64_t>(blocks.size()), 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) work(static_cast<size_t>(i));
  });
}

}  // namespace

void adam_pass(const std::vector<UpdateSpan>& spans, const AdamFactors& adam,
               const AverageFactors& averages) {
  const std::vector<Block> blocks = blocks_of(spans);
  for_each_block(blocks, [&](size_t i) {
    const auto& [span, from, size] = blocks[i];
    float *const p = span->parameter + from, *const m = span->exp_avg + from,
                 *const v = span->exp_avg_sq + from;
    if (span->average != nullptr) {
      adam_and_average_values(p, span->gradient + from, m, v, span->average + from, size, adam, averages);
    } else {
      adam_values(p, span->gradient + from, m, v, size, adam);
    }
  });
}

void average_pass(const std::vector<UpdateSpan>& spans, const AverageFactors& averages) {
  const std::vector<Block> blocks = blocks_of(spans);
  for_each_block(blocks, [&](size_t i) {
    const auto& [span, from, size] = blocks[i];
    average_values(span->parameter + from, span->average + from, size, averages);
  });
}

double sum_of_squares(const std::vector<UpdateSpan>& spans) {
  const std::vector<Block> blocks = blocks_of(spans);
  std::vector<double> sums(blocks.size());
  for_each_block(blocks, [&](size_t i) {
    sums[i] = squares_of_values(blocks[i].span->gradient + blocks[i].from, blocks[i].size);
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

bool suits_update_passes(const Tensor& tensor) {
  return tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat &&
         tensor.is_non_overlapping_and_dense();
}

}  // namespace sr
