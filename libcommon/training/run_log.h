#pragma once
// What a training run tells about itself: RUN/log.ndjson, a JSON object a line.

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/records.h"

namespace sr {

class RunLog {
 public:
  using Entry = std::vector<NamedField>;

  /// Opens the log to go on after `iteration`: lines of later ones, and one that was cut off, are taken away,
  /// since those iterations come again. Throws Error.
  RunLog(const fs::path& run, std::int64_t iteration);

  /// Whether it tells that of that iteration.
  bool has(std::int64_t iteration, const std::string& kind) const;
  /// {"iteration":N,"kind":KIND, ...}, flushed.
  void write(std::int64_t iteration, const std::string& kind, const Entry& entry);

 private:
  fs::path path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

}  // namespace sr
