#include "training/run_log.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"

namespace sr {
namespace {

/// True where the line is whole and tells of an iteration up to `last`.
bool stays(const std::string& line, std::int64_t last) {
  const auto entry = nlohmann::json::parse(line, nullptr, false);
  return entry.is_object() && entry.contains("iteration") && entry["iteration"].is_number_integer() &&
         entry["iteration"].get<std::int64_t>() <= last;
}

void keep_until(const fs::path& path, std::int64_t last) {
  const auto lines = split(read_file(path), '\n');
  write_whole(path, [&](std::ostream& out) {
    for (const auto& line : lines) {
      if (stays(line, last)) out << line << '\n';
    }
  });
}

/// What each line begins with.
RunLog::Entry head(std::int64_t iteration, const std::string& kind) {
  return {{"iteration", iteration}, {"kind", kind}};
}

}  // namespace

RunLog::RunLog(const fs::path& run, std::int64_t iteration)
    : path_(run / "log.ndjson"), file_(nullptr, std::fclose) {
  if (path_exists(path_)) keep_until(path_, iteration);
  file_.reset(std::fopen(path_.c_str(), "a"));
  if (!file_) throw Error(fmt::format("{}: {}", printable(path_.string()), std::strerror(errno)));
}

bool RunLog::has(std::int64_t iteration, const std::string& kind) const {
  auto beginning = json_object(head(iteration, kind));
  beginning.back() = ',';
  return std::ranges::any_of(split(read_file(path_), '\n'),
                             [&](const std::string& line) { return line.starts_with(beginning); });
}

void RunLog::write(std::int64_t iteration, const std::string& kind, const Entry& entry) {
  Entry line = head(iteration, kind);
  line.insert(line.end(), entry.begin(), entry.end());
  write_text(file_.get(), printable(path_.string()), json_object(line) + "\n");
}

}  // namespace sr
