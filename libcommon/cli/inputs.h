#pragma once
// What a program works on: files, folders, standard input, lists.

#include <string>
#include <vector>

#include "cli/options.h"
#include "core/files.h"

namespace sr {

/// One file to work on.
struct Input {
  fs::path path;      ///< "-": standard input
  fs::path relative;  ///< its place below the folder it was found in, or its bare name: where it goes in an
                      ///< output folder
};

/// What the walk found.
struct Inputs {
  std::vector<Input> files;
  bool from_folder = false;          ///< a folder was among the names
  std::vector<std::string> missing;  ///< a sentence for each name that could not be read
};

/// Walks the names, folders in byte order: hidden files are passed over, and what is no picture by name or
/// content, and the folder `left_out` (where results go), and with --recursive folders that are links. Throws
/// UsageError where there is no name at all, or the list can't be read.
Inputs find_inputs(const InputOptions& options, Log& log, const fs::path& left_out = {});

/// A file's text, standard input's for "-", without a byte order mark. Throws UsageError: without the list
/// there is nothing to start with.
std::string read_named_file(const std::string& name);

}  // namespace sr
