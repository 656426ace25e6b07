#pragma once
// The picture files of a training source.

#include <vector>

#include "training/data_config.h"

namespace sr {

struct SourceFiles {
  std::vector<fs::path> hr;
  std::vector<fs::path> names;  ///< of each of `hr`, below its folder
  std::vector<fs::path> lr;     ///< paired: one for each of `hr`; else empty
  std::vector<fs::path> tags;   ///< captioned: one for each of `hr`; else empty
};

/// Walks the source's folders in byte order. Passed over are hidden files, what is no picture by name or
/// content, and linked folders. Throws UsageError where there is no picture, or one lacks its LR picture or
/// its caption.
SourceFiles find_files(const TrainingSource& source, int scale);

}  // namespace sr
