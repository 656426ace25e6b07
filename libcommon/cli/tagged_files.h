#pragma once
// Many files through a tagger: pictures of one batch are read while others are in the network.

#include <functional>
#include <vector>

#include "cli/inputs.h"
#include "cli/tagger.h"
#include "image/picture.h"

namespace sr {

struct TaggingTask {
  std::vector<Input> files;
  std::int64_t max_pixels = kMaxPixels;
  int batch = 4;  ///< pictures in one forward pass
  int jobs = 3;   ///< batches under way at once
  /// Takes what came of file `i`: one at a time, in the order of the files, those that failed left out.
  /// Whether that went well; what it throws ends the run.
  std::function<bool(size_t, const TaggedPicture&)> done;
};

/// What rows call a file: its path, or "stdin".
std::string row_name(const Input& input);

/// Throws Error where a value is not finite.
void check_finite(const TaggedPicture& picture);

/// Tags all of them. A bad file is told and the others are done; whether there was none.
bool tag_files(Program& program, Tagger& tagger, const TaggingTask& task);

}  // namespace sr
