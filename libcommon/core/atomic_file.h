#pragma once
// Outputs that are whole or absent.

#include "core/files.h"

namespace sr {

/// A file that appears under its name only when it is complete: written to a hidden temporary in the same
/// folder (`path()`, same extension), then synced and renamed by `commit`. Without `commit` the destructor
/// removes the temporary and the target stays as it was.
class AtomicFile {
 public:
  /// Creates the temporary. Throws Error with the system's reason.
  explicit AtomicFile(fs::path target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const fs::path& path() const { return temporary_; }
  const fs::path& target() const { return target_; }

  /// Syncs the temporary to disk and renames it onto the target. Throws Error.
  void commit();

 private:
  fs::path target_;
  fs::path temporary_;
};

}  // namespace sr
