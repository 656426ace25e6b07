#pragma once
// MATLAB's files of version 5 to 7 ("MAT-File Format", The MathWorks): real numbers, text, and cells of
// these. Version 7.3 is HDF5, and not read.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"

namespace sr {

/// One variable: its numbers, or its texts, column after column.
struct MatVariable {
  std::vector<std::int64_t> shape;
  std::vector<double> numbers;     ///< of a numeric variable
  std::vector<std::string> texts;  ///< of a cell array; one text of a char array (a row). Empty where a cell
                                   ///< holds something else
  std::vector<MatVariable> cells;  ///< of a cell array: the numeric ones; the others without a shape
};

/// The variables by name; those of other kinds (structures, sparse and complex ones) are left out. Whatever
/// the bytes say, nothing beyond them is read, and no more than 256 MiB are unpacked. Throws Error.
std::map<std::string, MatVariable> parse_mat(std::string_view bytes);

/// The same of a file; errors begin with its name.
std::map<std::string, MatVariable> read_mat(const fs::path& path);

}  // namespace sr
