#pragma once
// Settings files that are known by name and extend one another.

#include <string>
#include <vector>

#include "core/toml.h"

namespace sr {

/// The files KIND-NAME.toml of a folder.
class Presets {
 public:
  /// `levels`: how deep an extending file's tables are laid over the other's (see TomlValue::overlaid).
  Presets(fs::path folder, std::string kind, int levels = 1)
      : folder_(std::move(folder)), kind_(std::move(kind)), levels_(levels) {}

  std::vector<std::string> names() const;  ///< sorted
  /// A preset's file, or the .toml file itself. Throws UsageError.
  fs::path find(const std::string& name_or_file) const;
  /// The file laid over the preset that it `extends`, and so on. Throws UsageError.
  TomlValue read(const fs::path& file) const { return read(file, 0); }

 private:
  fs::path file_of(const std::string& name) const { return folder_ / (kind_ + "-" + name + ".toml"); }
  TomlValue read(const fs::path& file, int depth) const;

  fs::path folder_;
  std::string kind_;
  int levels_;
};

}  // namespace sr
