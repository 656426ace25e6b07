#include "nets/fused_attention.h"

#include <ATen/record_function.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "core/processor.h"
#include "core/vectors.h"

namespace sr {
namespace {

using namespace simd;
using c10::BFloat16;

#pragma GCC push_options
#pragma GCC optimize("fp-contract=fast")

constexpr int64_t kPanel = 32;   // columns that lie together in what is multiplied from the right
constexpr int64_t kBlock = 512;  // keys at once: they, their values and the scores stay in cache
constexpr int kMostRows = 12;    // that a product has in registers
constexpr int kGroups = 4;       // of so many rows, that go over a block of keys one after the other

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
  Workspace(int64_t key_count, int64_t channels)
      : mixed_row(panels(channels) * kPanel),
        queries(static_cast<size_t>(kSlots * channels)),
        keys(static_cast<size_t>(panels(key_count) * kPanel * channels)),
        values(static_cast<size_t>((key_count + 1) * mixed_row)),
        scores(static_cast<size_t>(kSlots * kScoreRow)),
        mixed(static_cast<size_t>(kSlots * mixed_row)) {}

  static constexpr int64_t kSlots = kGroups * kMostRows;
  /// Not a power of two, so that rows keep out of each other's place in cache.
  static constexpr int64_t kScoreRow = kBlock + 16;

  int64_t mixed_row;
  std::vector<float> queries;  ///< [slots][channels], scaled
  std::vector<float> keys;     ///< [keys / kPanel][channels][kPanel]
  std::vector<float> values;   ///< [channels / kPanel][keys][kPanel]
  std::vector<float> scores;   ///< [slots][kScoreRow] of a block of keys, then their exponentials
  std::vector<float> mixed;    ///< [slots][mixed_row]: sums of values so far
  std::array<float, kSlots> largest{}, sums{};  ///< of the scores, of their exponentials so far
};

// --- packing -------------------------------------------------------------------------------------

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

/// In pairs of bfloat16: keys of two channels, values of two keys.
void pack_pairs(const Head<BFloat16>& head, Workspace& work) {
  auto* const keys = reinterpret_cast<BFloat16*>(work.keys.data());
  auto* const values = reinterpret_cast<BFloat16*>(work.values.data());
  const int64_t pairs = (head.keys + 1) / 2;
  for (int64_t k = 0; k < head.keys; ++k) {
    BFloat16* const column = keys + (k / kPanel * kPanel * (head.channels / 2) + k % kPanel) * 2;
    const BFloat16 *const key = head.key[k], *const value = head.value[k];
    for (int64_t c = 0; c < head.channels; ++c) column[c / 2 * kPanel * 2 + c % 2] = key[c];
    for (int64_t c = 0; c < head.channels; ++c)
      values[((c / kPanel * pairs + k / 2) * kPanel + c % kPanel) * 2 + k % 2] = value[c];
  }
  if (head.keys % 2 == 0) return;
  for (int64_t c = 0; c < head.channels; ++c)
    values[((c / kPanel * pairs + head.keys / 2) * kPanel + c % kPanel) * 2 + 1] = 0;
}

// --- products ------------------------------------------------------------------------------------

/// Rows times panels, of which a stretch of rows is taken.
struct Product {
  const float* left;
  int64_t left_row, count;
  const float* panels;  ///< [columns / kPanel][panel_rows][kPanel]
  int64_t panel_rows, first, columns;
  float* sums;
  int64_t sums_row;

  const float* panel(int64_t column) const {
    return panels + (column / kPanel * panel_rows + first) * kPanel + column % kPanel;
  }
};

template <int kBytes, int kRows, bool kAdd>
[[gnu::always_inline]] inline void multiply(const Product& job) {
  constexpr int kVectors = 2, kWidth = kVectors * VectorOf<kBytes>::kLanes;
  for (int64_t column = 0; column < job.columns; column += kWidth) {
    multiply_block<kBytes, kRows, kVectors, kAdd>(job.left, job.left_row, 1, job.panel(column), kPanel,
                                                  job.count, job.sums + column, job.sums_row);
  }
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
/// The same of pairs; `count`, `first` and `panel_rows` count pairs.
template <int kRows, bool kAdd>
[[SR_BFLOAT16]] void multiply_half(const Product& job) {
  for (int64_t column = 0; column < job.columns; column += kPanel) {
    multiply_pairs<kRows, kAdd>(job.left, job.left_row, 1, job.panel(column), kPanel, job.count,
                                job.sums + column, job.sums_row);
  }
}

/// `padded` floats to half as many pairs, in their place.
[[SR_BFLOAT16]] void round_in_place(float* values, int64_t padded) {
  for (int64_t k = 0; k < padded; k += 32) {
    const __m512 low = _mm512_loadu_ps(values + k), high = _mm512_loadu_ps(values + k + 16);
    _mm512_storeu_ps(values + k / 2, (__m512)_mm512_cvtne2ps_pbh(high, low));
  }
}
#else
template <int kRows, bool kAdd>
void multiply_half(const Product&) {}  // never called: see has_bfloat16()
void round_in_place(float*, int64_t) {}
#endif

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

template <int kBytes>
[[gnu::always_inline]] inline float largest_of(const float* scores, int64_t padded) {
  constexpr int kLanes = VectorOf<kBytes>::kLanes;
  Vector<kBytes> largest, value;
  load<kBytes>(largest, scores);
  for (int64_t k = kLanes; k < padded; k += kLanes) {
    load<kBytes>(value, scores + k);
    largest = value > largest ? value : largest;
  }
  float most = largest[0];
  for (int i = 1; i < kLanes; ++i) most = std::max(most, largest[i]);
  return most;
}

/// Replaces `padded` scores by the exponentials of their distances from `largest`; the sum of those.
template <int kBytes>
[[gnu::always_inline]] inline float exponentials(float* scores, int64_t padded, float largest) {
  constexpr int kLanes = VectorOf<kBytes>::kLanes;
  Vector<kBytes> value, sums = {};
  for (int64_t k = 0; k < padded; k += kLanes) {
    load<kBytes>(value, scores + k);
    value -= largest;
    exponential<kBytes>(value);
    sums += value;
    store<kBytes>(value, scores + k);
  }
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += sums[i];
  return sum;
}

/// Keys [first,last).
struct Block {
  int64_t first, last;

  int64_t count() const { return last - first; }
  int64_t padded() const { return panels(count()) * kPanel; }
};

void add_row(const float* from, int64_t row, int64_t keys, const Block& block, float* scores) {
  if (from == nullptr) return;
  for (int64_t k = block.first; k < block.last; ++k) scores[k - block.first] += from[row * keys + k];
}

/// One row's scores of a block to exponentials by the largest score so far; what was summed before comes down
/// to it.
template <int kBytes, class Element>
[[gnu::always_inline]] inline void soften(const Head<Element>& head, int64_t row, const Block& block,
                                          int64_t slot, Workspace& work) {
  float* const scores = work.scores.data() + slot * Workspace::kScoreRow;
  add_row(head.bias, row, head.keys, block, scores);
  add_row(head.mask, row, head.keys, block, scores);
  std::fill(scores + block.count(), scores + block.padded(), std::numeric_limits<float>::lowest());
  const auto at = static_cast<size_t>(slot);
  const float largest = std::max(work.largest[at], largest_of<kBytes>(scores, block.padded()));
  const float sum = exponentials<kBytes>(scores, block.padded(), largest);
  if (largest != work.largest[at]) {
    const float factor = std::exp(work.largest[at] - largest);
    float* const mixed = work.mixed.data() + slot * work.mixed_row;
    for (int64_t c = 0; c < work.mixed_row; ++c) mixed[c] *= factor;
    work.sums[at] *= factor;
    work.largest[at] = largest;
  }
  work.sums[at] += sum;
}

/// kRows queries, whose slots begin at `slot`, on a block of keys; kPairs: products are of bfloat16.
template <int kBytes, int kRows, bool kPairs, class Element>
[[gnu::always_inline]] inline void attend_block(const Head<Element>& head, int64_t row, const Block& block,
                                                int64_t slot, Workspace& work) {
  constexpr int64_t kStep = kPairs ? 2 : 1;
  float* const scores = work.scores.data() + slot * Workspace::kScoreRow;
  const int64_t channels = head.channels / kStep, keys = (head.keys + kStep - 1) / kStep;
  const Product scoring{.left = work.queries.data() + slot * channels,
                        .left_row = channels,
                        .count = channels,
                        .panels = work.keys.data() + block.first * channels,
                        .panel_rows = channels,
                        .first = 0,
                        .columns = block.padded(),
                        .sums = scores,
                        .sums_row = Workspace::kScoreRow};
  const Product mixing{.left = scores,
                       .left_row = Workspace::kScoreRow,
                       .count = (block.count() + kStep - 1) / kStep,
                       .panels = work.values.data(),
                       .panel_rows = keys,
                       .first = block.first / kStep,
                       .columns = work.mixed_row,
                       .sums = work.mixed.data() + slot * work.mixed_row,
                       .sums_row = work.mixed_row};
  kPairs ? multiply_half<kRows, false>(scoring) : multiply<kBytes, kRows, false>(scoring);
  for (int64_t r = 0; r < kRows; ++r) {
    soften<kBytes>(head, row + r, block, slot + r, work);
    if (kPairs) round_in_place(scores + r * Workspace::kScoreRow, block.padded());
  }
  kPairs ? multiply_half<kRows, true>(mixing) : multiply<kBytes, kRows, true>(mixing);
}

template <bool kPairs, class Element>
[[gnu::always_inline]] inline void begin_row(const Head<Element>& head, int64_t row, int64_t slot,
                                             Workspace& work) {
  using Scaled = std::conditional_t<kPairs, BFloat16, float>;
  const Element* const query = head.query[row];
  auto* const scaled = reinterpret_cast<Scaled*>(work.queries.data()) + slot * head.channels;
  for (int64_t c = 0; c < head.channels; ++c)
    scaled[c] = static_cast<Scaled>(static_cast<float>(query[c]) * head.scale);
  std::fill_n(work.mixed.data() + slot * work.mixed_row, work.mixed_row, 0.0f);
  work.largest[static_cast<size_t>(slot)] = std::numeric_limits<float>::lowest();
  work.sums[static_cast<size_t>(slot)] = 0;
}

template <class Element>
[[gnu::always_inline]] inline void end_row(const Head<Element>& head, int64_t row, int64_t slot,
                                           const Workspace& work) {
  Element* const mixed = head.mixed[row];
  const float* const sums = work.mixed.data() + slot * work.mixed_row;
  for (int64_t c = 0; c < head.channels; ++c)
    mixed[c] = static_cast<Element>(sums[c] / work.sums[static_cast<size_t>(slot)]);
}

/// `groups` groups of kRows queries from `first` on; the last may begin earlier, to end at `last`.
template <int kBytes, int kRows, bool kPairs, class Element>
[[gnu::always_inline]] inline void attend_groups(const Head<Element>& head, int64_t first, int64_t last,
                                                 int64_t groups, Workspace& work) {
  const auto row_of = [&](int64_t group) { return std::min(first + group * kRows, last - kRows); };
  for (int64_t i = 0; i < groups * kRows; ++i)
    begin_row<kPairs>(head, row_of(i / kRows) + i % kRows, i, work);
  for (int64_t key = 0; key < head.keys; key += kBlock) {
    const Block block{key, std::min(key + kBlock, head.keys)};
    for (int64_t g = 0; g < groups; ++g)
      attend_block<kBytes, kRows, kPairs>(head, row_of(g), block, g * kRows, work);
  }
  for (int64_t i = 0; i < groups * kRows; ++i) end_row(head, row_of(i / kRows) + i % kRows, i, work);
}

template <int kBytes, int kRows, bool kPairs = false, class Element>
[[gnu::always_inline]] inline void attend_all(const Head<Element>& head, int64_t first, int64_t last,
                                              Workspace& work) {
  if (last - first < kRows) {
    for (; first < last; ++first) attend_groups<kBytes, 1, kPairs>(head, first, first + 1, 1, work);
    return;
  }
  for (; first < last; first += kGroups * kRows) {
    const int64_t groups = std::min<int64_t>(kGroups, (last - first + kRows - 1) / kRows);
    attend_groups<kBytes, kRows, kPairs>(head, first, last, groups, work);
  }
}

// --- one for each kind of processor --------------------------------------------------------------

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
using Floats = Head<float>;
using Halves = Head<BFloat16>;
[[gnu::target("default")]] void run(const Floats& head, int64_t first, int64_t last, Workspace& work) {
  attend_all<16, 6>(head, first, last, work);
}
[[gnu::target("arch=x86-64-v3")]] void run(const Floats& head, int64_t first, int64_t last, Workspace& work) {
  attend_all<32, 6>(head, first, last, work);
}
[[gnu::target("arch=x86-64-v4")]] void run(const Floats& head, int64_t first, int64_t last, Workspace& work) {
  attend_all<64, kMostRows>(head, first, last, work);
}
[[gnu::target("default")]] void run(const Halves& head, int64_t first, int64_t last, Workspace& work) {
  attend_all<16, 6>(head, first, last, work);
}
[[gnu::target("arch=x86-64-v3")]] void run(const Halves& head, int64_t first, int64_t last, Workspace& work) {
  attend_all<32, 6>(head, first, last, work);
}
[[gnu::target("arch=x86-64-v4")]] void run(const Halves& head, int64_t first, int64_t last, Workspace& work) {
  attend_all<64, kMostRows>(head, first, last, work);
}
[[gnu::target("arch=x86-64-v4")]] void run_pairs(const Halves& head, int64_t first, int64_t last,
                                                 Workspace& work) {
  attend_all<64, kMostRows, true>(head, first, last, work);
}
#else
template <class Element>
void run(const Head<Element>& head, int64_t first, int64_t last, Workspace& work) {
  attend_all<16, 6>(head, first, last, work);
}
void run_pairs(const Head<BFloat16>& head, int64_t first, int64_t last, Workspace& work) {
  run(head, first, last, work);  // never called: see has_bfloat16()
}
#endif

/// Packs the keys, where they are new, and attends with the queries from `first` to `last`.
void attend(const Head<float>& head, bool is_new, int64_t first, int64_t last, Workspace& work) {
  if (is_new) pack(head, work);
  run(head, first, last, work);
}

void attend(const Head<BFloat16>& head, bool is_new, int64_t first, int64_t last, Workspace& work) {
  const bool pairs = has_bfloat16() && head.channels % 2 == 0;
  if (is_new) pairs ? pack_pairs(head, work) : pack(head, work);
  pairs ? run_pairs(head, first, last, work) : run(head, first, last, work);
}

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
    Workspace work(inputs.key.size(1), inputs.query.size(2) / inputs.heads);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t part = i % parts, sequence = i / parts / inputs.heads, head = i / parts % inputs.heads;
      const auto job = head_of<Element>(inputs, mixed, sequence, head);
      attend(job, i == begin || part == 0, queries * part / parts, queries * (part + 1) / parts, work);
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
