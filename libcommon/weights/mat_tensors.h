#pragma once
// The numbers of MATLAB's files as tensors: measures of quality are published so.

#include "weights/mapped_file.h"
#include "weights/state_dict.h"

namespace sr {

/// Whether these bytes are a MATLAB file of version 5 to 7.
bool is_mat(const SharedBytes& file);

/// Its numeric variables by name, float64 and row-major; those in cell i (from 0 on) of an array as "name.i".
/// Throws Error.
StateDict read_mat_tensors(const SharedBytes& file);

}  // namespace sr
