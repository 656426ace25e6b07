#include "training/picture_files.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "core/error.h"
#include "image/picture.h"

namespace sr {
namespace {

/// The names of the pictures below `folder`.
void walk(const fs::path& folder, const fs::path& below, std::vector<fs::path>& names) {
  boost::system::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const auto& path = at->path();
    if (is_hidden(path)) continue;
    if (is_folder(path)) {
      if (!fs::is_symlink(path)) walk(path, below / path.filename(), names);  // a link could lead back here
    } else if (is_picture(path)) {
      names.push_back(below / path.filename());
    }
  }
  if (error) throw UsageError(fmt::format("{}: {}", printable(folder.string()), error.message()));
}

std::vector<fs::path> names_below(const fs::path& folder) {
  std::vector<fs::path> names;
  walk(folder, "", names);
  std::sort(names.begin(), names.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  if (names.empty()) throw UsageError(fmt::format("{}: no pictures in it", printable(folder.string())));
  return names;
}

std::string without_extension(fs::path name) { return name.replace_extension().string(); }

/// LR pictures by their names, with and without extension.
class Partners {
 public:
  Partners(const fs::path& folder, int scale) : folder_(folder), scale_(scale) {
    for (const auto& name : names_below(folder)) {
      names_.emplace(name.string(), name);
      names_.emplace(without_extension(name), name);
    }
  }

  fs::path of(const fs::path& hr, const fs::path& name) const {
    const auto stem = without_extension(name);
    for (const auto& wanted : {name.string(), stem, fmt::format("{}x{}", stem, scale_)}) {
      const auto found = names_.find(wanted);
      if (found != names_.end()) return folder_ / found->second;
    }
    throw UsageError(
        fmt::format("{}: {} has no LR picture for it", printable(hr.string()), printable(folder_.string())));
  }

 private:
  fs::path folder_;
  int scale_;
  std::map<std::string, fs::path> names_;
};

void add(const fs::path& hr, const fs::path& name, SourceFiles& files) {
  files.hr.push_back(hr);
  files.names.push_back(name);
}

void add_alone(const fs::path& root, SourceFiles& files) {
  require_exists(root);
  if (!is_folder(root)) return add(root, root.filename(), files);
  for (const auto& name : names_below(root)) add(root / name, name, files);
}

void add_pairs(const fs::path& hr, const fs::path& lr, int scale, SourceFiles& files) {
  require_exists(hr);
  require_exists(lr);
  if (is_folder(hr) != is_folder(lr)) {
    throw UsageError(fmt::format("{} and {}: a pair is two files or two folders", printable(hr.string()),
                                 printable(lr.string())));
  }
  if (!is_folder(hr)) {
    add(hr, hr.filename(), files);
    files.lr.push_back(lr);
    return;
  }
  const Partners partners(lr, scale);
  for (const auto& name : names_below(hr)) {
    add(hr / name, name, files);
    files.lr.push_back(partners.of(files.hr.back(), name));
  }
}

/// Of the pictures from `first` on.
void add_captions(const fs::path& tags, size_t first, SourceFiles& files) {
  for (size_t i = first; i < files.hr.size(); i++) {
    files.tags.push_back(tags / (without_extension(files.names[i]) + ".txt"));
    if (path_exists(files.tags.back())) continue;
    throw UsageError(fmt::format("{}: there is no caption {}", printable(files.hr[i].string()),
                                 printable(files.tags.back().string())));
  }
}

/// `what` are as many as there are HR folders, or none.
void check_count(const TrainingSource& source, const std::vector<fs::path>& given, const char* what) {
  if (given.empty() || given.size() == source.hr.size()) return;
  throw UsageError(fmt::format("{} HR folders with {} {} folders: each needs its own", source.hr.size(),
                               given.size(), what));
}

}  // namespace

SourceFiles find_files(const TrainingSource& source, int scale) {
  if (source.hr.empty()) throw UsageError("a training source without HR pictures");
  check_count(source, source.lr, "LR");
  check_count(source, source.tags, "caption");
  SourceFiles files;
  for (size_t i = 0; i < source.hr.size(); i++) {
    const auto first = files.hr.size();
    if (source.lr.empty()) {
      add_alone(source.hr[i], files);
    } else {
      add_pairs(source.hr[i], source.lr[i], scale, files);
    }
    if (!source.tags.empty()) add_captions(source.tags[i], first, files);
  }
  return files;
}

}  // namespace sr
