#pragma once
// The rows of a picture that is in memory.

#include <memory>

#include "image/rows.h"

namespace sr {

/// `planes` [1..4,H,W] as RowSource::next has them, in one strip.
std::unique_ptr<RowSource> rows_of(const Tensor& planes);

}  // namespace sr
