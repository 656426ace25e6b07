#include "cli/inputs.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

#include "image/encode.h"
#include "image/picture.h"

namespace sr {
namespace {

bool is_hidden(const fs::path& path) { return path.filename().string().front() == '.'; }

/// By name, since a broken picture should be told, not passed over; else by content.
bool is_picture(const fs::path& path) {
  auto extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  const bool readable_only = extension == ".bmp" || extension == ".gif";
  return readable_only || Format::of_name(path).has_value() || looks_like_picture(path);
}

void walk(const fs::path& folder, const fs::path& below, bool recursive, Inputs& inputs, Log& log) {
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  for (const auto& entry : entries) {
    if (is_hidden(entry)) continue;
    const auto relative = below / entry.filename();
    if (fs::is_directory(entry)) {
      if (recursive) walk(entry, relative, recursive, inputs, log);
    } else if (is_picture(entry)) {
      inputs.files.push_back({entry, relative});
    } else {
      log.note(fmt::format("{}: not a picture, passed over", printable(entry.string())));
    }
  }
}

void add_name(const std::string& name, bool recursive, Inputs& inputs, Log& log) {
  const fs::path path(name);
  boost::system::error_code error;
  const auto status = fs::status(path, error);
  if (is_stream(path)) {
    inputs.files.push_back({path, "stdin"});
  } else if (status.type() == fs::directory_file) {
    inputs.from_folder = true;
    walk(path, "", recursive, inputs, log);
  } else if (!fs::exists(status)) {
    inputs.missing.push_back(fmt::format("{}: {}", printable(name), error.message()));
  } else {
    inputs.files.push_back({path, path.filename()});
  }
}

std::vector<std::string> read_list(const std::string& list, bool null_separated) {
  const auto text = read_file(list == "-" ? fs::path("/dev/stdin") : fs::path(list));
  auto names = split(text, null_separated ? '\0' : '\n');
  names.erase(std::remove(names.begin(), names.end(), ""), names.end());
  return names;
}

/// Every N-th file, from the I-th on.
void keep_shard(const std::string& shard, std::vector<Input>& files) {
  size_t index = 0, count = 0;
  const auto* end = shard.data() + shard.size();
  const auto first = std::from_chars(shard.data(), end, index);
  const bool slash = first.ptr != end && *first.ptr == '/';
  const bool read = slash && std::from_chars(first.ptr + 1, end, count).ptr == end;
  if (!read || index < 1 || index > count) {
    throw UsageError(fmt::format("--shard: '{}' is not I/N with I from 1 to N", shard));
  }
  std::vector<Input> kept;
  for (size_t i = index - 1; i < files.size(); i += count) kept.push_back(std::move(files[i]));
  files = std::move(kept);
}

}  // namespace

Inputs find_inputs(const InputOptions& options, Log& log) {
  auto names = options.names;
  if (!options.files_from.empty()) {
    const auto listed = read_list(options.files_from, options.null_separated);
    names.insert(names.end(), listed.begin(), listed.end());
  } else if (names.empty()) {
    throw UsageError("no input: name files or folders, - for standard input, or --files-from");
  }
  Inputs inputs;
  for (const auto& name : names) add_name(name, options.recursive, inputs, log);
  if (!options.shard.empty()) keep_shard(options.shard, inputs.files);
  return inputs;
}

}  // namespace sr
