#pragma once
// Weights by name, from where the options, the environment and the installation say.

#include <map>
#include <string>

#include "weights/state_dict.h"
#include "weights/weights_finder.h"

namespace sr {

class WeightsSource {
 public:
  /// `folder`: what --weights says, looked into first; may be empty.
  explicit WeightsSource(const std::string& folder);

  /// The file of a name of the catalogue, or a file itself. Throws UsageError.
  fs::path find(const std::string& name_or_file) const { return finder_.find(name_or_file); }
  /// The same of a model that is a folder.
  fs::path find_folder(const std::string& name_or_folder) const {
    return finder_.find_folder(name_or_folder);
  }
  /// Its tensors; a file is read once. Throws UsageError: without weights nothing can start.
  const StateDict& load(const std::string& name_or_file);

 private:
  WeightsFinder finder_;
  std::map<fs::path, StateDict> loaded_;
};

}  // namespace sr
