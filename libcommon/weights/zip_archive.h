#pragma once
// Zip archives in memory: what torch.save and TorchScript put their pickles and tensors into.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "weights/mapped_file.h"

namespace sr {

/// The entries of a zip archive (also of more than 4 GB), stored or deflated.
class ZipArchive {
 public:
  struct Entry {
    std::uint16_t method = 0;
    std::uint32_t crc = 0;
    std::uint64_t packed = 0;  ///< bytes in the archive
    std::uint64_t size = 0;    ///< bytes as read
    std::uint64_t header = 0;  ///< offset of the local header
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  /// Reads the directory. Throws Error where it is missing or contradicts itself, or where entries are
  /// encrypted.
  explicit ZipArchive(SharedBytes file);

  const Entries& entries() const { return entries_; }
  bool contains(std::string_view name) const { return entries_.contains(name); }

  /// An entry's bytes: a view into the file where they are stored as they are, else inflated and checked
  /// against their CRC. Throws Error.
  SharedBytes read(std::string_view name) const;

 private:
  SharedBytes file_;
  Entries entries_;
};

}  // namespace sr
