#include "training/run_log.h"

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

}  // namespace

RunLog::RunLog(const fs::path& run, std::int64_t iteration)
    : name_(printable((run / "log.ndjson").string())), file_(nullptr, std::fclose) {
  const auto path = run / "log.ndjson";
  if (path_exists(path)) keep_until(path, iteration);
  file_.reset(std::fopen(path.c_str(), "a"));
  if (!file_) throw Error(fmt::format("{}: {}", name_, std::strerror(errno)));
}

void RunLog::write(std::int64_t iteration, const std::string& kind, const Entry& entry) {
  Entry line{{"iteration", iteration}, {"kind", kind}};
  line.insert(line.end(), entry.begin(), entry.end());
  write_text(file_.get(), name_, json_object(line) + "\n");
}

}  // namespace sr
