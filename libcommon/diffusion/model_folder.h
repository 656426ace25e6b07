#pragma once
// Models as diffusers lays them out: a folder for each part, with its config.json and its weights.

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "weights/state_dict.h"

namespace sr {

class ModelFolder {
 public:
  /// Throws Error where there is no such folder.
  explicit ModelFolder(fs::path path);

  const fs::path& path() const { return path_; }
  /// A folder in this one. Throws Error where it is missing.
  ModelFolder part(const std::string& name) const { return ModelFolder(path_ / name); }
  /// What `make` makes of a file's JSON object. Throws Error, with the file's name, where it is missing or
  /// none, or where `make` does.
  template <class Make>
  auto config(const Make& make, const std::string& file = "config.json") const {
    return naming(printable((path_ / file).string()), [&] { return make(json(file)); });
  }
  /// Where the weights are: diffusion_pytorch_model, model or pytorch_model, .safetensors before .bin, those
  /// of full precision before `.fp16`. Throws Error that names what was looked for.
  fs::path weights_file() const;
  /// What `make` makes of the weights' tensors, mapped where the format allows. Throws Error, with the file's
  /// name, where it is missing or unreadable, or where `make` does.
  template <class Make>
  auto network(const Make& make) const {
    const auto file = weights_file();
    return naming(printable(file.string()), [&] { return make(tensors(file)); });
  }

 private:
  nlohmann::json json(const std::string& file) const;
  static StateDict tensors(const fs::path& file);

  fs::path path_;
};

}  // namespace sr
