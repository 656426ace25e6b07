#include "diffusion/model_folder.h"

#include <array>
#include <fmt/format.h>

#include "weights/checkpoint.h"

namespace sr {

ModelFolder::ModelFolder(fs::path path) : path_(std::move(path)) {
  if (!is_folder(path_)) throw Error(fmt::format("{}: there is no such folder", printable(path_.string())));
}

nlohmann::json ModelFolder::json(const std::string& file) const {
  auto json = nlohmann::json::parse(read_file(path_ / file), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw Error("is no JSON object");
  return json;
}

fs::path ModelFolder::weights_file() const {
  constexpr std::array names{"diffusion_pytorch_model.safetensors",
                             "model.safetensors",
                             "diffusion_pytorch_model.bin",
                             "pytorch_model.bin",
                             "diffusion_pytorch_model.fp16.safetensors",
                             "model.fp16.safetensors",
                             "diffusion_pytorch_model.fp16.bin",
                             "pytorch_model.fp16.bin"};
  for (const auto* name : names) {
    if (path_exists(path_ / name)) return path_ / name;
  }
  throw Error(
      fmt::format("{}: there are no weights: neither diffusion_pytorch_model nor model (pytorch_model), "
                  ".safetensors or .bin",
                  printable(path_.string())));
}

StateDict ModelFolder::tensors(const fs::path& file) { return load_checkpoint(file); }

}  // namespace sr
