#include "cli/offers.h"

#include "cli/share.h"
#include "core/presets.h"
#include "weights/catalogue.h"

namespace sr {

Offer models_of(const std::string& use, std::vector<std::string> more) {
  const auto names = [use, more = std::move(more)] {
    auto names = more;
    const auto catalogue = Catalogue::read(share_folder() / "catalogue.tsv");
    for (const auto& entry : catalogue.entries()) {
      if (entry.use == use) names.push_back(entry.name);
    }
    return names;
  };
  return {names, {"pth", "pt", "safetensors"}};
}

Offer presets_of(const std::string& kind) {
  return {[kind] { return Presets(presets_folder(), kind).names(); }, {"toml"}};
}

Offer choice_of(std::vector<std::string> names) {
  return {[names = std::move(names)] { return names; }};
}

Offer several_of(const std::string& list) {
  const auto names = [list] {
    std::vector<std::string> names;
    for (const auto& name : split(list, ',')) names.push_back(name.substr(name.find_first_not_of(' ')));
    return names;
  };
  return {names, {}, true};
}

}  // namespace sr
