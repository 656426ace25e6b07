#include "core/files.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <sstream>

#include "core/error.h"

namespace sr {

std::string read_file(const fs::path& path) {
  errno = 0;
  std::ifstream in(path.string(), std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in || in.bad() || errno == EISDIR) {
    throw Error(fmt::format("{}: {}", printable(path.string()), std::strerror(errno ? errno : EIO)));
  }
  return std::move(text).str();
}

std::string printable(std::string_view name) {
  std::string shown;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      shown += "\\n";
    } else if (c == '\t') {
      shown += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      shown += fmt::format("\\x{:02X}", byte);
    } else {
      shown += c;
    }
  }
  return shown;
}

std::string shown(const fs::path& path, std::string_view stream) {
  return is_stream(path) ? std::string(stream) : printable(path.string());
}

std::optional<long> parse_number(std::string_view text, long low, long high) {
  long value = 0;
  const auto* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  const bool whole = result.ec == std::errc{} && result.ptr == end && !text.empty();
  return whole && value >= low && value <= high ? std::optional(value) : std::nullopt;
}

bool path_exists(const fs::path& path) {
  boost::system::error_code error;
  return fs::exists(path, error);
}

void require_exists(const fs::path& path) {
  if (!path_exists(path))
    throw UsageError(fmt::format("{}: No such file or directory", printable(path.string())));
}

bool is_folder(const fs::path& path) {
  boost::system::error_code error;
  return fs::is_directory(path, error);
}

void make_folders(const fs::path& path) {
  if (path.empty() || is_folder(path)) return;  // Boost 1.74 can't make "."
  boost::system::error_code error;
  fs::create_directories(path, error);
  if (!error) return;
  const auto reason = path_exists(path) ? "Not a folder" : error.message();
  throw Error(fmt::format("{}: {}", printable(path.string()), reason));
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream rest(text);
  for (std::string part; std::getline(rest, part, separator);) parts.push_back(part);
  return parts;
}

}  // namespace sr
