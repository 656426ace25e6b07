#pragma once
// Outputs that are whole or absent.

#include <functional>
#include <memory>
#include <ostream>

#include "core/files.h"
#include "core/signals.h"

namespace sr {

/// A file that appears under its name only when it is complete: written to a hidden temporary in the same
/// folder (`path()`, same extension), then synced and renamed by `commit`. Without `commit` the destructor
/// removes the temporary and the target stays as it was. A symbolic link is followed, an existing file's mode
/// kept. What is no file (a device, a named pipe) is written to directly.
class AtomicFile {
 public:
  /// Creates the temporary. Throws Error with the system's reason.
  explicit AtomicFile(const fs::path& target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const fs::path& path() const { return path_; }
  const fs::path& target() const { return target_; }

  /// Syncs the temporary to disk and renames it onto the target. Throws Error, or Interrupted if a signal
  /// came.
  void commit();

 private:
  fs::path target_;
  fs::path path_;
  std::unique_ptr<TemporaryPath> temporary_;  ///< while `path_` is one
};

/// Such a file, of what `write` puts into the stream. Throws Error that names it, also where `write` does.
void write_whole(const fs::path& target, const std::function<void(std::ostream&)>& write);

}  // namespace sr
