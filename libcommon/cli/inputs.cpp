#include "cli/inputs.h"

#include <algorithm>
#include <fmt/format.h>

#include "image/picture.h"

namespace sr {
namespace {

bool is_same(const fs::path& a, const fs::path& b) {
  boost::system::error_code error;
  return !b.empty() && fs::equivalent(a, b, error);
}

std::vector<fs::path> entries_of(const fs::path& folder, Inputs& inputs) {
  boost::system::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    entries.push_back(at->path());
  if (error) inputs.missing.push_back(fmt::format("{}: {}", printable(folder.string()), error.message()));
  std::sort(entries.begin(), entries.end());
  return entries;
}

class Walk {
 public:
  Walk(bool recursive, fs::path left_out, Inputs& inputs, Log& log)
      : recursive_(recursive), left_out_(std::move(left_out)), inputs_(inputs), log_(log) {}

  void folder(const fs::path& folder, const fs::path& below) {
    for (const auto& entry : entries_of(folder, inputs_)) {
      if (is_hidden(entry)) continue;
      const auto relative = below / entry.filename();
      if (is_folder(entry)) {
        // a linked folder could lead back here; the results of an earlier run are no inputs
        if (recursive_ && !fs::is_symlink(entry) && !is_same(entry, left_out_)) this->folder(entry, relative);
      } else if (is_picture(entry)) {
        inputs_.files.push_back({entry, relative});
      } else {
        log_.note(fmt::format("{}: not a picture, passed over", printable(entry.string())));
      }
    }
  }

  void name(const std::string& name) {
    const fs::path path(name);
    boost::system::error_code error;
    const auto status = fs::status(path, error);
    if (is_stream(path)) {
      inputs_.files.push_back({path, "stdin"});
    } else if (status.type() == fs::directory_file) {
      inputs_.from_folder = true;
      folder(path, "");
    } else if (!fs::exists(status)) {
      inputs_.missing.push_back(fmt::format("{}: {}", printable(name), error.message()));
    } else {
      inputs_.files.push_back({path, path.filename()});
    }
  }

 private:
  bool recursive_;
  fs::path left_out_;
  Inputs& inputs_;
  Log& log_;
};

std::vector<std::string> read_list(const std::string& list, bool null_separated) {
  const auto text = read_named_file(list);
  auto names = split(text, null_separated ? '\0' : '\n');
  names.erase(std::remove(names.begin(), names.end(), ""), names.end());
  return names;
}

}  // namespace

std::string read_named_file(const std::string& name) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  auto text = needed_to_start([&] { return read_file(name == "-" ? "/dev/stdin" : name); });
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  return text;
}

Inputs find_inputs(const InputOptions& options, Log& log, const fs::path& left_out) {
  auto names = options.names;
  if (!options.files_from.empty()) {
    const auto listed = read_list(options.files_from, options.null_separated);
    names.insert(names.end(), listed.begin(), listed.end());
  } else if (names.empty()) {
    throw UsageError("no input: name files or folders, - for standard input, or --files-from");
  }
  Inputs inputs;
  Walk walk(options.recursive, left_out, inputs, log);
  for (const auto& name : names) walk.name(name);
  return inputs;
}

}  // namespace sr
