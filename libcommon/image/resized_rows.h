#pragma once
// A picture's rows at another size, as MATLAB's imresize makes them.

#include <memory>

#include "core/pipeline.h"
#include "image/resize.h"
#include "image/rows.h"

namespace sr {

/// Rows of `source` resized to height x width in sRGB-encoded light, as official code and benchmarks do;
/// colour is premultiplied by alpha on the way. Alpha is clamped to [0,1], colour is not. Works on `stage`'s
/// thread.
std::unique_ptr<RowSource> resize_rows(std::unique_ptr<RowSource> source, int height, int width,
                                       const ResizeOptions& options, Stage& stage);

/// The same by a scale, to MATLAB's size ceil(side * scale).
std::unique_ptr<RowSource> scale_rows(std::unique_ptr<RowSource> source, double scale,
                                      const ResizeOptions& options, Stage& stage);

}  // namespace sr
