#include "weights/torch_zip.h"

#include <map>
#include <string>

#include "core/error.h"
#include "weights/parameter_tree.h"
#include "weights/pickle.h"
#include "weights/tensor_view.h"
#include "weights/zip_archive.h"

namespace sr {
namespace {

constexpr std::string_view kRootPickle = "data.pkl";

/// The folder that the archive's entries are in, with its slash: the least deep one with a data.pkl.
std::string find_folder(const ZipArchive& archive) {
  const std::string* found = nullptr;
  for (const auto& [name, entry] : archive.entries()) {
    const bool root = name == kRootPickle || name.ends_with("/data.pkl");
    if (root && (!found || name.size() < found->size())) found = &name;
  }
  if (!found) throw Error("this is a zip archive, but none of PyTorch's: it has no data.pkl");
  return found->substr(0, found->size() - kRootPickle.size());
}

void check_byte_order(const ZipArchive& archive, const std::string& folder) {
  const std::string name = folder + "byteorder";
  if (archive.contains(name) && archive.read(name).text() == "big") {
    throw Error("it was saved on a big-endian machine, which is not supported");
  }
}

/// The storages of an archive by key; each entry is looked up and inflated once.
class Storages {
 public:
  Storages(const ZipArchive& archive, std::string folder) : archive_(archive), folder_(std::move(folder)) {}

  SharedBytes find(const StorageId& id) {
    const std::string key(id.key);
    const auto known = read_.find(key);
    if (known != read_.end()) return known->second;
    // Once for all tensors in it, and whatever the width of their elements.
    return read_.emplace(key, aligned(archive_.read(entry_name(key)), 8)).first->second;
  }

 private:
  /// TorchScript keeps tensors that its code also uses among the constants.
  std::string entry_name(const std::string& key) const {
    const std::string constant = folder_ + "constants/" + key;
    const std::string name = folder_ + "data/" + key;
    return !archive_.contains(name) && archive_.contains(constant) ? constant : name;
  }

  const ZipArchive& archive_;
  std::string folder_;
  std::map<std::string, SharedBytes> read_;
};

}  // namespace

StateDict read_torch_zip(const SharedBytes& file) {
  const ZipArchive archive(file);
  const std::string folder = find_folder(archive);
  check_byte_order(archive, folder);
  const SharedBytes root = archive.read(folder + std::string(kRootPickle));
  Storages storages(archive, folder);
  return collect_parameters(pickle::read(root.text()),
                            [&storages](const StorageId& id) { return storages.find(id); });
}

}  // namespace sr
