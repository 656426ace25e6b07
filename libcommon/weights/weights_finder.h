#pragma once
// From what someone gave as a model to the file that holds it.

#include <optional>
#include <string>
#include <vector>

#include "core/files.h"
#include "weights/catalogue.h"

namespace sr {

/// Resolves `-m NAME|FILE`.
class WeightsFinder {
 public:
  /// `share` is the installed share folder; `weights` what `--weights DIR` says, if given. `$SR_WEIGHTS`,
  /// `$XDG_DATA_HOME` and `$HOME` are read here.
  WeightsFinder(Catalogue catalogue, const fs::path& share, const std::optional<fs::path>& weights = {});

  /// An existing file is taken as it is. A name of the catalogue is looked for in `folders()`, in their
  /// order, as its file or as one of the same stem ending in .safetensors, .pth or .pt. Throws UsageError:
  /// where the file is missing, with all places and how to fetch it; where the name is unknown, with near
  /// ones.
  fs::path find(const std::string& name_or_file) const;

  /// A model that is a folder: an existing one as it is, a name in `folders()`. Throws UsageError with all
  /// places.
  fs::path find_folder(const std::string& name_or_folder) const;

  /// Where weights are looked for, first things first.
  const std::vector<fs::path>& folders() const { return folders_; }
  const Catalogue& catalogue() const { return catalogue_; }

 private:
  Catalogue catalogue_;
  std::vector<fs::path> folders_;
  fs::path fetcher_;  ///< the script that gets what is missing
};

}  // namespace sr
