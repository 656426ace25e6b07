#pragma once
// Paths and whole-file helpers.

#include <boost/filesystem.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace sr {

namespace fs = boost::filesystem;

/// Reads a whole file; throws Error with the system's reason.
std::string read_file(const fs::path& path);

/// A name as it is shown to people: control characters become \n, \t, \xHH, so that it stays on one line.
std::string printable(std::string_view name);

/// "a|b|c" by '|' -> {"a", "b", "c"}; an end after the last separator gives no part.
std::vector<std::string> split(const std::string& text, char separator);

/// True where `text` is "-", which stands for standard input or output.
inline bool is_stream(const fs::path& path) { return path == "-"; }

}  // namespace sr
