#include "training/run_log.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
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
  AtomicFile shortened(path);
  std::ofstream out(shortened.path().string(), std::ios::binary);
  for (const auto& line : split(read_file(path), '\n')) {
    if (stays(line, last)) out << line << '\n';
  }
  out.close();
  if (!out) throw Error(fmt::format("{}: {}", printable(path.string()), std::strerror(errno)));
  shortened.commit();
}

/// Numbers that JSON has none for become text.
nlohmann::ordered_json json_of(const Field& field) {
  return std::visit(
      [](const auto& value) -> nlohmann::ordered_json {
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::monostate>) {
          return nullptr;
        } else if constexpr (std::is_same_v<Value, double>) {
          if (!std::isfinite(value)) return number_text(value);
          return value;
        } else {
          return value;
        }
      },
      field);
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
  nlohmann::ordered_json line{{"iteration", iteration}, {"kind", kind}};
  for (const auto& [name, value] : entry) line[name] = json_of(value);
  write_text(file_.get(), name_, line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace sr
