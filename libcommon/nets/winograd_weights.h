#pragma once
// Convolutions' weights as winograd_passes.h takes them.

#include "core/torch.h"

namespace sr::winograd {

/// The next multiple of kColumns.
std::int64_t whole_columns(std::int64_t outputs);

/// [out,in,kernel,kernel], kernel 3 or 5 -> [side^2][out / 32][in][32]; zeros stand for outputs that are
/// missing to a multiple of 32.
Tensor transformed_weight(const Tensor& weight);

/// The same for bfloat16 products: [side^2][out / 32][in / 2][32][2].
Tensor paired_weight(const Tensor& transformed);

/// The gradient [out,in,kernel,kernel] of what was transformed, from `sums` [parts,side^2,in,out] (see
/// Correlate).
Tensor weight_gradient(const Tensor& sums, std::int64_t kernel);

}  // namespace sr::winograd
