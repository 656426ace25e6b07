#pragma once
// The checkpoints that the project knows by name.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"

namespace sr {

/// A row of share/catalogue.tsv. What is not known is empty.
struct CatalogueEntry {
  std::string name;  ///< what `-m` takes
  fs::path file;     ///< as it lies in a folder of weights
  std::string url;   ///< a direct address, or `page:` and where it can be had by hand
  std::optional<std::uint64_t> bytes;
  std::string sha256;  ///< 64 hexadecimal digits, or the first few where only those are published
  std::string licence;
  std::string what;
  std::string use;  ///< "network" (sr-upscale's), "tagger", "measure", "features", "clip" ...
};

class Catalogue {
 public:
  using Entry = CatalogueEntry;

  /// Reads the table: a header line, then tab-separated fields, `-` for what is not known. Throws Error where
  /// a row is malformed or a name comes twice.
  static Catalogue read(const fs::path& path);

  /// The entry of this name, or of this file name with or without its extension.
  std::optional<Entry> find(std::string_view name) const;

  /// Names that someone who typed `name` may have meant, the likeliest first; few, or none.
  std::vector<std::string> similar(std::string_view name) const;

  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

}  // namespace sr
