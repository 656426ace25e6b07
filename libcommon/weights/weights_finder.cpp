#include "weights/weights_finder.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

#include "core/error.h"

namespace sr {
namespace {

/// A variable that is set to something.
std::optional<fs::path> environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value ? std::optional<fs::path>(value) : std::nullopt;
}

std::optional<fs::path> user_folder() {
  if (const auto data = environment("XDG_DATA_HOME")) return *data / "sr-tools" / "weights";
  if (const auto home = environment("HOME")) return *home / ".local" / "share" / "sr-tools" / "weights";
  return std::nullopt;
}

bool is_file(const fs::path& path) {
  boost::system::error_code ignored;
  const auto status = fs::status(path, ignored);
  return fs::exists(status) && !fs::is_directory(status);
}

bool is_there(const fs::path& path) {
  boost::system::error_code ignored;
  return fs::exists(path, ignored);  // a folder too: some models are folders of files
}

/// The file's own name first, then its twins.
std::vector<fs::path> spellings(const fs::path& file) {
  std::vector<fs::path> names{file.filename()};
  for (const char* extension : {".safetensors", ".pth", ".pt"}) {
    const fs::path twin = file.stem().concat(extension);
    if (twin != names[0]) names.push_back(twin);
  }
  return names;
}

std::optional<fs::path> find_in(const std::vector<fs::path>& folders, const fs::path& file) {
  for (const fs::path& folder : folders) {
    for (const fs::path& name : spellings(file)) {
      if (is_there(folder / name)) return folder / name;
    }
  }
  return std::nullopt;
}

/// Installed within `share`; in the source tree beside it.
fs::path find_fetcher(const fs::path& share) {
  const auto installed = share / "scripts" / "fetch-weights";
  return is_file(installed) ? installed : share.parent_path() / "scripts" / "fetch-weights";
}

std::string how_to_get(const CatalogueEntry& entry, const fs::path& fetcher) {
  if (entry.url.empty()) return "it comes with sr-tools: is the installation whole?";
  return fmt::format("`{} {}` gets it", printable(fetcher.string()), entry.name);
}

std::string listed(const std::vector<fs::path>& folders) {
  std::vector<std::string> places;
  places.reserve(folders.size());
  for (const fs::path& folder : folders) places.push_back(printable(folder.string()));
  return fmt::format("{}", fmt::join(places, ", "));
}

[[noreturn]] void fail_missing(const CatalogueEntry& entry, const std::vector<fs::path>& folders,
                               const fs::path& fetcher) {
  throw UsageError(fmt::format("model {}: no {} in {}; {}", entry.name, entry.file.filename().string(),
                               listed(folders), how_to_get(entry, fetcher)));
}

[[noreturn]] void fail_unknown(const std::string& name, const std::vector<std::string>& similar) {
  const std::string hint =
      similar.empty() ? std::string() : fmt::format(" (did you mean {}?)", fmt::join(similar, " or "));
  throw UsageError(
      fmt::format("model {}: neither a file nor a name of the catalogue{}", printable(name), hint));
}

}  // namespace

WeightsFinder::WeightsFinder(Catalogue catalogue, const fs::path& share,
                             const std::optional<fs::path>& weights)
    : catalogue_(std::move(catalogue)), fetcher_(find_fetcher(share)) {
  for (const auto& folder : {weights, environment("SR_WEIGHTS"), user_folder()}) {
    if (folder) folders_.push_back(*folder);
  }
  folders_.push_back(share / "weights");
  folders_.push_back(share / "models");
}

fs::path WeightsFinder::find(const std::string& name_or_file) const {
  if (is_file(name_or_file)) return name_or_file;
  const auto entry = catalogue_.find(name_or_file);
  if (!entry) fail_unknown(name_or_file, catalogue_.similar(name_or_file));
  const auto found = find_in(folders_, entry->file);
  if (!found) fail_missing(*entry, folders_, fetcher_);
  return *found;
}

fs::path WeightsFinder::find_folder(const std::string& name_or_folder) const {
  if (is_folder(name_or_folder)) return name_or_folder;
  for (const auto& folder : folders_) {
    if (is_folder(folder / name_or_folder)) return folder / name_or_folder;
  }
  throw UsageError(
      fmt::format("model {0}: neither a folder nor one in {1}", printable(name_or_folder), listed(folders_)));
}

}  // namespace sr
