#include "training/tensor_cache.h"

#include <fmt/format.h>
#include <glib.h>
#include <memory>

#include "core/error.h"
#include "core/signals.h"
#include "weights/safetensors.h"

namespace sr {
namespace {

constexpr const char* kName = "tensor";

/// Hexadecimal, of the texts one after the other.
std::string sha256(std::initializer_list<std::string_view> texts) {
  const std::unique_ptr<GChecksum, decltype(&g_checksum_free)> sum(g_checksum_new(G_CHECKSUM_SHA256),
                                                                   g_checksum_free);
  for (const auto& text : texts)
    g_checksum_update(sum.get(), reinterpret_cast<const guchar*>(text.data()),
                      static_cast<gssize>(text.size()));
  return g_checksum_get_string(sum.get());
}

Tensor read_tensor(const fs::path& file) {
  const auto tensors = read_safetensors(file).tensors;
  const auto found = tensors.find(kName);
  if (found == tensors.end())
    throw Error(fmt::format("{}: nothing that training keeps", printable(file.string())));
  return found->second;
}

void write_tensor(const fs::path& file, const Tensor& tensor) {
  const HeldSignals until_it_is_written;
  make_folders(file.parent_path());
  write_safetensors(file, {{kName, tensor}});
}

}  // namespace

TensorCache::TensorCache(const fs::path& folder, const std::string& kind, std::string by)
    : folder_(folder.empty() ? folder : folder / kind), by_(std::move(by)) {}

Tensor TensorCache::of(std::string_view from, const std::function<Tensor()>& reckon) const {
  if (!keeps()) return reckon();
  const auto file = file_of(from);
  if (path_exists(file)) return read_tensor(file);
  const Tensor tensor = reckon();
  write_tensor(file, tensor);
  return tensor;
}

fs::path TensorCache::file_of(std::string_view from) const {
  constexpr std::string_view end("\0", 1);  // of `by`, which has none in it
  const auto name = sha256({by_, end, from});
  return folder_ / name.substr(0, 2) / (name + ".safetensors");
}

std::string_view bytes_of(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.data_ptr()), static_cast<size_t>(tensor.nbytes())};
}

}  // namespace sr
