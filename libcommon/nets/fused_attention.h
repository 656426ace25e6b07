#pragma once
// Attention on CPUs without gradients: a few queries' scores, their softmax and their sums of values while
// all that is in cache. Scores, exponentials and sums are float32; products are of bfloat16 where queries,
// keys and values are and the processor multiplies it.

#include <cstdint>

#include "core/torch.h"

namespace sr {

/// What is attended to, and how; see AttentionOptions. `bias` and `mask` are undefined or float32.
struct AttentionInputs {
  Tensor query, key, value;  ///< [N,L,C], [N,S,C], [N,S,C], all float32 or all bfloat16
  int64_t heads = 1;
  double scale = 1;
  Tensor bias;  ///< [heads,L,S]
  Tensor mask;  ///< [M,L,S]
};

/// Whether this code can do it: float32 or bfloat16 on a CPU, and none of it learns.
bool fused_attention_fits(const AttentionInputs& inputs);

/// What observers of LibTorch's operators (at::RecordFunction) know it by; they are shown query, key, value.
inline constexpr const char* kAttentionName = "sr::fused_attention";

/// [N,L,C] in the query's type. Any number of threads gives the same values.
Tensor fused_attention(const AttentionInputs& inputs);

}  // namespace sr
