#pragma once
// A picture's luminance, row by row, as the MATLAB scripts of super-resolution papers take it.

#include <memory>

#include "image/rows.h"

namespace sr {

/// Y of YCbCr (BT.601, 16..235), rounded to integers of 0..255, of an RGB source; transparency passes, and so
/// does a grey source.
std::unique_ptr<RowSource> luma_rows(std::unique_ptr<RowSource> source);

}  // namespace sr
