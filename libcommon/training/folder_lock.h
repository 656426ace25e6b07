#pragma once
// One process at a time.

#include "core/files.h"

namespace sr {

/// Holds the folder (an advisory lock that ends with the process) so that others who ask wait. Where the file
/// system knows no such locks nobody waits. Throws Error where there is no such folder, Interrupted while
/// waiting.
class FolderLock {
 public:
  explicit FolderLock(const fs::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace sr
