#include "core/presets.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace sr {

std::vector<std::string> Presets::names() const {
  const std::string prefix = kind_ + "-";
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const auto name = entry.path().stem().string();
    if (name.starts_with(prefix) && entry.path().extension() == ".toml")
      names.push_back(name.substr(prefix.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

fs::path Presets::find(const std::string& name_or_file) const {
  const fs::path path = name_or_file;
  if (path.extension() == ".toml" || name_or_file.find('/') != std::string::npos) return path;
  if (!path_exists(file_of(name_or_file))) {
    throw UsageError(fmt::format("{}: neither a .toml file nor a preset ({})", printable(name_or_file),
                                 fmt::join(names(), ", ")));
  }
  return file_of(name_or_file);
}

TomlValue Presets::read(const fs::path& file, int depth) const {
  constexpr int kDeepest = 8;
  const auto value = TomlValue::read(file);
  const auto* extends = value.find("extends");
  if (extends == nullptr) return value;
  if (depth == kDeepest) extends->refuse("presets that extend each other in a circle, or too deep");
  const auto base = file_of(extends->text());
  if (!path_exists(base)) extends->refuse(fmt::format("there is no preset '{}'", printable(extends->text())));
  return read(base, depth + 1).overlaid(value, levels_);
}

}  // namespace sr
