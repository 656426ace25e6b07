#pragma once
// Paths and whole-file helpers.

#include <boost/filesystem.hpp>
#include <optional>
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

/// The whole text as a number, if it is one in [low, high].
std::optional<long> parse_number(std::string_view text, long low, long high);

/// True where there is something, or a folder, at `path`; false too where that cannot be known.
bool path_exists(const fs::path& path);
bool is_folder(const fs::path& path);

/// Makes the folder and those above it; does nothing where it is there, or `path` is empty. Throws Error
/// "PATH: reason".
void make_folders(const fs::path& path);

/// Throws UsageError where there is nothing at `path`.
void require_exists(const fs::path& path);

/// True where `text` is "-", which stands for standard input or output.
inline bool is_stream(const fs::path& path) { return path == "-"; }

/// `path` as messages name it; `stream` for "-".
std::string shown(const fs::path& path, std::string_view stream);

}  // namespace sr
