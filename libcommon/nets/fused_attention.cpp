#include "nets/fused_attention.h"

#include <ATen/record_function.h>
#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "core/vectors.h"

namespace sr {
namespace {

using namespace simd;
using c10::BFloat16;

#pragma GCC push_options
#pragma GCC optimize("fp-contract=fast")

constexpr int64_t kPanel = 32;  // columns that lie together in what is multiplied from the right

int64_t panels(int64_t columns) { return (columns + kPanel - 1) / kPanel; }

/// Rows of numbers in memory: a head's part of a tensor's.
template <class Element>
struct Rows {
  Element* data;
  int64_t stride;

  Element* operator[](int64_t row) const { return data + row * stride; }
};

/// One head of one sequence.
template <class Element>
struct Head {
  Rows<const Element> query, key, value;
  Rows<Element> mixed;
  const float *bias, *mask;  ///< [L,keys], or null
  int64_t keys, channels;
  float scale;
};

/// What a thread works with; what pads the panels stays zero.
struct Workspace {
  Workspace(int64_t key_count, int64_t channels, int64_t rows)
      // not a power of two, so that rows keep out of each other's place in cache
      : score_row(panels(key_count) * kPanel + 16),
        mixed_row(panels(channels) * kPanel),
        queries(static_cast<size_t>(rows * channels)),
        keys(static_cast<size_t>(panels(key_count) * kPanel * channels)),
        values(static_cast<size_t>(key_count * mixed_row)),
        scores(static_cast<size_t>(rows * score_row)),
        mixed(static_cast<size_t>(rows * mixed_row)) {}

  int64_t score_row, mixed_row;
  std::vector<float> queries;  ///< [rows][channels], scaled
  std::vector<float> keys;     ///< [keys / kPanel][channels][kPanel]
  std::vector<float> values;   ///< [channels / kPanel][keys][kPanel]
  std::vector<float> scores;   ///< [rows][score_row], then their exponentials
  std::vector<float> mixed;    ///< [rows][mixed_row]
};

template <class Element>
void pack(const Head<Element>& head, Workspace& work) {
  for (int64_t k = 0; k < head.keys; ++k) {
    float* const column = work.keys.data() + k / kPanel * kPanel * head.channels + k % kPanel;
    const Element *const key = head.key[k], *const value = head.value[k];
    for (int64_t c = 0; c < head.channels; ++c) column[c * kPanel] = static_cast<float>(key[c]);
    for (int64_t c = 0; c < head.channels; ++c)
      work.values[static_cast<size_t>((c / kPanel * head.keys + k) * kPanel + c % kPanel)] =
          static_cast<float>(value[c]);
  }
}

/// `rows` rows of `left` [count] times panels [count][kPanel], side by side.
template <int kBytes, int kRows>
[[gnu::always_inline]] inline void multiply(const float* left, int64_t left_row, int64_t count,
                                            const std::vector<float>& right, int64_t columns, float* product,
                                            int64_t product_row) {
  constexpr int kVectors = 2, kWidth = kVectors * VectorOf<kBytes>::kLanes;
  for (int64_t column = 0; column < columns; column += kWidth) {
    const float* const panel = right.data() + column / kPanel * kPanel * count + column % kPanel;
    multiply_block<kBytes, kRows, kVectors, false>(left, left_row, 1, panel, kPanel, count, product + column,
                                                   product_row);
  }
}

/// e^x for x <= 0 (at least -87), to a few units in the last place: 2^n e^r, |r| <= ln(2) / 2.
template <int kBytes>
[[gnu::always_inline]] inline void exponential(Vector<kBytes>& x) {
  using Bits = typename VectorOf<kBytes>::Bits;
  constexpr float least = -87, log2e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  constexpr float rounder = 12582912;  // 1.5 * 2^23: what is added to it is rounded to a whole number
  x = x > least ? x : Vector<kBytes>{} + least;
  const Vector<kBytes> shifted = x * log2e + rounder;
  const Vector<kBytes> n = shifted - rounder;
  const Vector<kBytes> r = (x - n * ln2_high) - n * ln2_low;
  Vector<kBytes> sum = r * (1.0f / 720) + 1.0f / 120;
  sum = sum * r + 1.0f / 24;
  sum = sum * r + 1.0f / 6;
  sum = sum * r + 0.5f;
  sum = sum * r + 1.0f;
  sum = sum * r + 1.0f;
  x = reinterpret_cast<Vector<kBytes>>(reinterpret_cast<Bits>(sum) + (reinterpret_cast<Bits>(shifted) << 23));
}

/// Replaces a row's `padded` scores by the exponentials of their distances from the largest; the sum of
/// those.
template <int kBytes>
[[gnu::always_inline]] inline float exponentials(float* scores, int64_t padded) {
  constexpr int kLanes = VectorOf<kBytes>::kLanes;
  Vector<kBytes> largest, value, sums = {};
  load<kBytes>(largest, scores);
  for (int64_t k = kLanes; k < padded; k += kLanes) {
    load<kBytes>(value, scores + k);
    largest = value > largest ? value : largest;
  }
  float most = largest[0], sum = 0;
  for (int i = 1; i < kLanes; ++i) most = std::max(most, largest[i]);
  for (int64_t k = 0; k < padded; k += kLanes) {
    load<kBytes>(value, scores + k);
    value -= most;
    exponential<kBytes>(value);
    sums += value;
    store<kBytes>(value, scores + k);
  }
  for (int i = 0; i < kLanes; ++i) sum += sums[i];
  return sum;
}

void add_row(const float* from, int64_t row, int64_t keys, float* scores) {
  if (from == nullptr) return;
  for (int64_t k = 0; k < keys; ++k) scores[k] += from[row * keys + k];
}

/// The queries from `first` on, kRows of them.
template <int kBytes, int kRows, class Element>
[[gnu::always_inline]] inline void attend_rows(const Head<Element>& head, int64_t first, Workspace& work) {
  const int64_t padded = panels(head.keys) * kPanel, channels = head.channels;
  for (int64_t r = 0; r < kRows; ++r) {
    const Element* const query = head.query[first + r];
    for (int64_t c = 0; c < channels; ++c)
      work.queries[static_cast<size_t>(r * channels + c)] = static_cast<float>(query[c]) * head.scale;
  }
  multiply<kBytes, kRows>(work.queries.data(), channels, channels, work.keys, padded, work.scores.data(),
                          work.score_row);
  float sums[kRows];
  for (int64_t r = 0; r < kRows; ++r) {
    float* const scores = work.scores.data() + r * work.score_row;
    add_row(head.bias, first + r, head.keys, scores);
    add_row(head.mask, first + r, head.keys, scores);
    std::fill(scores + head.keys, scores + padded, std::numeric_limits<float>::lowest());
    sums[r] = exponentials<kBytes>(scores, padded);
  }
  multiply<kBytes, kRows>(work.scores.data(), work.score_row, head.keys, work.values, work.mixed_row,
                          work.mixed.data(), work.mixed_row);
  for (int64_t r = 0; r < kRows; ++r) {
    Element* const mixed = head.mixed[first + r];
    for (int64_t c = 0; c < channels; ++c)
      mixed[c] = static_cast<Element>(work.mixed[static_cast<size_t>(r * work.mixed_row + c)] / sums[r]);
  }
}

template <int kBytes, int kRows, class Element>
[[gnu::always_inline]] inline void attend_all(const Head<Element>& head, int64_t first, int64_t last,
                                              Workspace& work) {
  if (last - first < kRows) {
    for (; first < last; ++first) attend_rows<kBytes, 1>(head, first, work);
    return;
  }
  for (int64_t row = first; row < last; row += kRows)  // the last rows may be done twice
    attend_rows<kBytes, kRows>(head, std::min(row, last - kRows), work);
}

constexpr int64_t kMostRows = 12;

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
[[gnu::target("default")]] void attend(const Head<float>& head, int64_t first, int64_t last,
                                       Workspace& work) {
  attend_all<16, 6>(head, first, last, work);
}
[[gnu::target("arch=x86-64-v3")]] void attend(const Head<float>& head, int64_t first, int64_t last,
                                              Workspace& work) {
  attend_all<32, 6>(head, first, last, work);
}
[[gnu::target("arch=x86-64-v4")]] void attend(const Head<float>& head, int64_t first, int64_t last,
                                              Workspace& work) {
  attend_all<64, kMostRows>(head, first, last, work);
}
[[gnu::target("default")]] void attend(const Head<BFloat16>& head, int64_t first, int64_t last,
                                       Workspace& work) {
  attend_all<16, 6>(head, first, last, work);
}
[[gnu::target("arch=x86-64-v3")]] void attend(const Head<BFloat16>& head, int64_t first, int64_t last,
                                              Workspace& work) {
  attend_all<32, 6>(head, first, last, work);
}
[[gnu::target("arch=x86-64-v4")]] void attend(const Head<BFloat16>& head, int64_t first, int64_t last,
                                              Workspace& work) {
  attend_all<64, kMostRows>(head, first, last, work);
}
#else
template <class Element>
void attend(const Head<Element>& head, int64_t first, int64_t last, Workspace& work) {
  attend_all<16, 6>(head, first, last, work);
}
#endif

#pragma GCC pop_options

/// Rows whose channels lie together.
Tensor with_rows(const Tensor& tokens) { return tokens.stride(2) == 1 ? tokens : tokens.contiguous(); }

template <class Element, class Pointer>
Rows<Element> rows_of(const Tensor& tokens, Pointer* data, int64_t sequence, int64_t first_channel) {
  return {data + sequence * tokens.stride(0) + first_channel, tokens.stride(1)};
}

const float* matrix_of(const Tensor& matrices, int64_t index) {
  return matrices.defined() ? matrices.data_ptr<float>() + index % matrices.size(0) * matrices.stride(0)
                            : nullptr;
}

template <class Element>
Head<Element> head_of(const AttentionInputs& inputs, const Tensor& mixed, int64_t sequence, int64_t head) {
  const int64_t channels = inputs.query.size(2) / inputs.heads, first = head * channels;
  const auto rows = [&](const Tensor& tokens) {
    return rows_of<const Element>(tokens, tokens.data_ptr<Element>(), sequence, first);
  };
  return {.query = rows(inputs.query),
          .key = rows(inputs.key),
          .value = rows(inputs.value),
          .mixed = rows_of<Element>(mixed, mixed.data_ptr<Element>(), sequence, first),
          .bias = matrix_of(inputs.bias, head),
          .mask = matrix_of(inputs.mask, sequence),
          .keys = inputs.key.size(1),
          .channels = channels,
          .scale = static_cast<float>(inputs.scale)};
}

/// Into how many stretches a head's queries are cut, that all threads have work; each packs the keys anew.
int64_t stretches(int64_t heads, int64_t queries) {
  constexpr int64_t fewest_queries = 256;
  const int64_t wanted = (4 * at::get_num_threads() + heads - 1) / heads;
  return std::clamp<int64_t>(wanted, 1, std::max<int64_t>(1, queries / fewest_queries));
}

template <class Element>
void attend_heads(const AttentionInputs& inputs, const Tensor& mixed) {
  const int64_t queries = inputs.query.size(1), heads = inputs.query.size(0) * inputs.heads;
  const int64_t parts = at::get_num_threads() > 1 ? stretches(heads, queries) : 1;
  at::parallel_for(0, heads * parts, 1, [&](int64_t begin, int64_t end) {
    Workspace work(inputs.key.size(1), inputs.query.size(2) / inputs.heads, kMostRows);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t part = i % parts, sequence = i / parts / inputs.heads, head = i / parts % inputs.heads;
      const auto job = head_of<Element>(inputs, mixed, sequence, head);
      if (i == begin || part == 0) pack(job, work);
      attend(job, queries * part / parts, queries * (part + 1) / parts, work);
    }
  });
}

/// Tells observers of LibTorch's operators, as its own do.
void tell(at::RecordFunction& call, const AttentionInputs& inputs) {
  if (!call.isActive()) return;
  const std::array<const c10::IValue, 3> arguments{inputs.query, inputs.key, inputs.value};
  call.before(kAttentionName, c10::ArrayRef<const c10::IValue>(arguments.data(), arguments.size()));
}

bool learns(const Tensor& tensor) { return at::GradMode::is_enabled() && tensor.requires_grad(); }

}  // namespace

bool fused_attention_fits(const AttentionInputs& inputs) {
  const auto type = inputs.query.scalar_type();
  for (const Tensor& tensor : {inputs.query, inputs.key, inputs.value}) {
    if (!tensor.is_cpu() || tensor.scalar_type() != type || tensor.numel() == 0 || learns(tensor))
      return false;
  }
  for (const Tensor& tensor : {inputs.bias, inputs.mask}) {
    if (tensor.defined() && (tensor.scalar_type() != at::kFloat || learns(tensor))) return false;
  }
  return type == at::kFloat || type == at::kBFloat16;
}

Tensor fused_attention(const AttentionInputs& inputs) {
  at::RecordFunction call(at::RecordScope::FUNCTION);
  tell(call, inputs);
  AttentionInputs laid_out = inputs;
  for (Tensor* tokens : {&laid_out.query, &laid_out.key, &laid_out.value}) *tokens = with_rows(*tokens);
  for (Tensor* matrices : {&laid_out.bias, &laid_out.mask}) {
    if (matrices->defined()) *matrices = matrices->contiguous();
  }
  const Tensor mixed = at::empty(inputs.query.sizes(), inputs.query.options());
  if (inputs.query.scalar_type() == at::kFloat) {
    attend_heads<float>(laid_out, mixed);
  } else {
    attend_heads<BFloat16>(laid_out, mixed);
  }
  return mixed;
}

}  // namespace sr
