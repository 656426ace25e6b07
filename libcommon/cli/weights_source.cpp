#include "cli/weights_source.h"

#include "cli/share.h"
#include "core/error.h"
#include "weights/checkpoint.h"

namespace sr {
namespace {

WeightsFinder make_finder(const std::string& folder) {
  const auto share = share_folder();
  const auto first = folder.empty() ? std::nullopt : std::optional<fs::path>(folder);
  return {needed_to_start([&] { return Catalogue::read(share / "catalogue.tsv"); }), share, first};
}

}  // namespace

WeightsSource::WeightsSource(const std::string& folder) : finder_(make_finder(folder)) {}

const StateDict& WeightsSource::load(const std::string& name_or_file) {
  const auto path = find(name_or_file);
  const auto known = loaded_.find(path);
  if (known != loaded_.end()) return known->second;
  return loaded_.emplace(path, needed_to_start([&] { return load_checkpoint(path); })).first->second;
}

}  // namespace sr
