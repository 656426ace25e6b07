#pragma once
// NumPy's archives of arrays (.npz): a zip file with one .npy member an array.
// Format: numpy/lib/format.py (versions 1.0 to 3.0) and numpy.savez.

#include <set>
#include <string>

#include "core/files.h"
#include "weights/mapped_file.h"
#include "weights/state_dict.h"

namespace sr {

/// Whether these bytes are a zip archive of .npy members (and nothing that torch.save wrote).
bool is_npz(const SharedBytes& file);

/// The arrays by name, without ".npy", row-major; of `only` those that are there, or all where it is empty.
/// Stored and deflated members of any size; floats, integers, truth values and complex numbers,
/// little-endian. Unsigned integers that tensors don't have become the next wider signed ones. Throws Error,
/// naming the array, for anything else (text, records, Python objects: those are pickles), and where a member
/// is damaged or not as long as its shape asks.
StateDict read_npz(const SharedBytes& file, const std::set<std::string>& only = {});

/// The same of a file; errors name it.
StateDict read_npz(const fs::path& path, const std::set<std::string>& only = {});

/// Writes what numpy.load reads, atomically; equal arrays make equal bytes. Tensors may be on any device and
/// of any layout. Throws Error where NumPy has no such type (bfloat16), and beyond 4 GB.
void write_npz(const fs::path& path, const StateDict& arrays);

}  // namespace sr
