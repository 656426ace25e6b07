#pragma once
// Where the networks that training begins with, and those that judge it, come from.

#include <functional>
#include <string>

#include "core/files.h"
#include "weights/state_dict.h"

namespace sr {

/// Tensors of a checkpoint's name, or a file's; files beside it (CLIP's vocabulary).
struct TrainingWeights {
  std::function<StateDict(const std::string&)> load;
  std::function<fs::path(const std::string&)> find;
};

}  // namespace sr
