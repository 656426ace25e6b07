#pragma once
// Files mapped into memory, and bytes that know what keeps them alive.

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "core/files.h"

namespace sr {

/// A stretch of memory together with a share in its owner (a mapping, an inflated buffer).
struct SharedBytes {
  std::shared_ptr<void> owner;
  std::span<char> bytes;

  std::string_view text() const { return {bytes.data(), bytes.size()}; }

  /// `length` bytes from `offset` on, sharing the owner; throws Error where they are not all there.
  SharedBytes slice(std::size_t offset, std::size_t length) const;
};

/// Maps a regular file, copy on write: changes to the bytes never reach the file. Throws Error with the
/// system's reason. The file must not shrink while it is mapped.
SharedBytes map_file(const fs::path& path);

}  // namespace sr
