#include "training/checkpoint.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "weights/safetensors.h"

namespace sr {
namespace {

constexpr const char* kExtension = ".safetensors";
constexpr std::int64_t kLast = 1'000'000'000;

/// The checkpoints of a run, oldest first.
std::vector<std::pair<std::int64_t, fs::path>> checkpoints_of(const fs::path& run) {
  std::vector<std::pair<std::int64_t, fs::path>> found;
  const auto folder = run / "checkpoints";
  if (!is_folder(folder)) return found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto number = parse_number(entry.path().stem().string(), 0, kLast);
    if (number && entry.path().extension() == kExtension) found.emplace_back(*number, entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

fs::path write_training_state(const fs::path& run, const TrainingState& state, int keep) {
  const auto folder = run / "checkpoints";
  make_folders(folder);
  const auto file = folder / fmt::format("{:07}{}", state.iteration, kExtension);
  write_safetensors(file, state.tensors,
                    {{"iteration", std::to_string(state.iteration)}, {"settings", state.settings}});
  const auto all = checkpoints_of(run);
  for (size_t i = 0; i + static_cast<size_t>(keep) < all.size(); i++) {
    boost::system::error_code ignored;  // a checkpoint too many does no harm
    fs::remove(all[i].second, ignored);
  }
  return file;
}

std::optional<fs::path> newest_checkpoint(const fs::path& run) {
  const auto all = checkpoints_of(run);
  return all.empty() ? std::nullopt : std::optional(all.back().second);
}

TrainingState read_training_state(const fs::path& file) {
  auto [tensors, metadata] = read_safetensors(file);
  const auto iteration = parse_number(metadata["iteration"], 0, kLast);
  if (!iteration)
    throw Error(fmt::format("{}: this is no checkpoint of a training run", printable(file.string())));
  return {*iteration, metadata["settings"], std::move(tensors)};
}

StateDict part_of(const StateDict& tensors, const std::string& prefix) {
  StateDict part;
  for (auto at = tensors.lower_bound(prefix); at != tensors.end() && at->first.starts_with(prefix); ++at)
    part.emplace(at->first.substr(prefix.size()), at->second);
  return part;
}

void add_part(StateDict& tensors, const std::string& prefix, const StateDict& part) {
  for (const auto& [name, tensor] : part) tensors.insert_or_assign(prefix + name, tensor);
}

}  // namespace sr
