#pragma once
// Where models, presets and the catalogue are.

#include "core/files.h"

namespace sr {

/// The share folder that was installed with this program, or that of the source tree it was built in. Throws
/// UsageError where there is neither.
fs::path share_folder();

/// Its settings files.
inline fs::path presets_folder() { return share_folder() / "presets"; }

}  // namespace sr
