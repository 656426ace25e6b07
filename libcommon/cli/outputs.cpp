#include "cli/outputs.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "core/atomic_file.h"
#include "image/picture.h"

namespace sr {
namespace {

bool names_folder(const OutputOptions& options, const Inputs& inputs) {
  const auto& output = options.output;
  return output.back() == '/' || is_folder(output) || inputs.from_folder ||
         inputs.files.size() + inputs.missing.size() > 1;
}

/// The format that was asked for, or that of the input where it can be written, or PNG.
Format format_in_folder(const Input& input, const OutputOptions& options) {
  if (!options.format.empty()) return Format::parse(options.format);
  return Format::of_name(input.relative).value_or(Format::parse("png"));
}

Job job_in_folder(const Input& input, const fs::path& folder, const OutputOptions& options) {
  Job job{input, folder / input.relative, format_in_folder(input, options)};
  // "photo.JPG" stays so; only another format changes the name
  if (Format::of_name(job.target) != Format::parse(job.format.extension())) {
    job.target.replace_extension(job.format.extension());
  }
  return job;
}

Job job_for_file(const Input& input, const OutputOptions& options) {
  const auto [name, save_options] = split_options(options.output);
  const auto format = Format::of_name(name);
  if (!options.format.empty()) {
    // brackets after a name without a known extension are part of the name
    return {input, format ? name : options.output, Format::parse(options.format)};
  }
  if (!format) {
    throw UsageError(
        fmt::format("-o {}: no known extension; add one or --format, or end a folder's name in /",
                    printable(options.output)));
  }
  return {input, name, Format::parse(format->extension() + save_options)};
}

Depth named_depth(const std::string& name) {
  if (name == "8") return Depth::u8;
  return name == "16" ? Depth::u16 : Depth::f32;
}

/// Throws UsageError where --depth asks for more than a format holds, or libvips doesn't know its options.
void check_formats(const std::vector<Job>& jobs, const OutputOptions& options) {
  if (!jobs.empty()) check_save_options(jobs.front().format);  // options are the same of all
  if (options.depth == "auto") return;
  for (const auto& job : jobs) {
    const Depth wanted = named_depth(options.depth);
    if (wanted > job.format.deepest() || wanted < job.format.shallowest()) {
      throw UsageError(fmt::format("{}: {} does not hold --depth {}", printable(job.target.string()),
                                   job.format.extension().substr(1), options.depth));
    }
  }
}

/// The file's one name, be it there or not.
fs::path place_of(const fs::path& file) {
  boost::system::error_code error;
  const auto place = fs::weakly_canonical(fs::absolute(file), error);
  return error ? file : place;
}

}  // namespace

void check_targets(const std::vector<Job>& jobs) {
  boost::system::error_code error;
  std::map<fs::path, const Job*> taken, read;
  for (const auto& job : jobs) {
    if (!is_stream(job.input.path)) read.emplace(fs::canonical(job.input.path, error), &job);
  }
  for (const auto& job : jobs) {
    const auto [at, free] = taken.emplace(job.target, &job);
    if (!free) {
      throw UsageError(fmt::format("{} and {} would both be written to {}",
                                   printable(at->second->input.path.string()),
                                   printable(job.input.path.string()), printable(job.target.string())));
    }
    if (path_exists(job.target) && read.count(fs::canonical(job.target, error)) != 0) {
      throw UsageError(
          fmt::format("{} is an input and would be overwritten by a result", printable(job.target.string())));
    }
  }
}

std::vector<Job> plan_outputs(const Inputs& inputs, const OutputOptions& options) {
  if (options.output.empty()) throw UsageError("no output: give -o FILE, -o DIR or -o -");
  std::vector<Job> jobs;
  if (options.output == "-") {
    if (inputs.files.size() > 1) throw UsageError("standard output takes one picture, not several");
    for (const auto& input : inputs.files) {
      jobs.push_back({input, "-", Format::parse(options.format.empty() ? "png" : options.format)});
    }
    check_formats(jobs, options);
    return jobs;
  }
  const bool folder = names_folder(options, inputs);
  if (folder && path_exists(options.output) && !is_folder(options.output)) {
    throw UsageError(
        fmt::format("{} inputs do not go into one file, {}", inputs.files.size(), printable(options.output)));
  }
  if (folder && Format::of_name(split_options(options.output).name) && !path_exists(options.output)) {
    throw UsageError(
        fmt::format("several inputs need a folder, and {} is named like a file", printable(options.output)));
  }
  for (const auto& input : inputs.files) {
    jobs.push_back(folder ? job_in_folder(input, options.output, options) : job_for_file(input, options));
  }
  check_targets(jobs);
  check_formats(jobs, options);
  for (const auto& job : jobs) needed_to_start([&] { make_folders(job.target.parent_path()); });
  return jobs;
}

bool is_same_place(const fs::path& a, const fs::path& b) { return place_of(a) == place_of(b); }

void check_apart(const std::string& option, const fs::path& file, const std::vector<Job>& jobs) {
  const auto place = place_of(file);
  for (const auto& job : jobs) {
    const auto input = shown(job.input.path, "standard input");
    if (!is_stream(job.input.path) && place_of(job.input.path) == place)
      throw UsageError(fmt::format("{} is an input and would be overwritten by {}", input, option));
    if (!is_stream(job.target) && place_of(job.target) == place) {
      throw UsageError(fmt::format("the result of {} and {} would both be written to {}", input, option,
                                   printable(file.string())));
    }
  }
}

void check_overview(const std::string& option, const fs::path& file, const std::vector<Job>& jobs) {
  for (const auto& job : jobs) {
    if (is_stream(job.target)) throw UsageError(option + " shows what lies in files: not -o -");
  }
  if (is_stream(file)) throw UsageError(option + ": it needs a file with a name");
  check_apart(option, file, jobs);
  needed_to_start([&] { return AtomicFile(file).path(); });
}

void check_no_picture(const fs::path& file, const std::string& what, const fs::path& better) {
  if (file.extension() == better.extension()) return;  // a page may look like SVG inside
  boost::system::error_code error;
  const bool device = path_exists(file) && !fs::is_regular_file(file, error);  // a pipe is not read
  if (device || !is_picture(file)) return;
  throw UsageError(
      fmt::format("{}: {} is no picture: name it {}", printable(file.string()), what, better.string()));
}

EncodeOptions encode_options(const Job& job, const OutputOptions& options, const Picture& picture) {
  const Depth wanted = options.depth == "auto" ? picture.depth : named_depth(options.depth);
  const Depth depth = std::clamp(wanted, job.format.shallowest(), job.format.deepest());
  return {job.format, depth, options.metadata == "keep" ? Metadata::keep : Metadata::strip};
}

AlphaPolicy alpha_policy(const Job& job, const OutputOptions& options, const Picture& picture, Log& log) {
  auto policy = AlphaPolicy::parse(options.alpha);
  if (picture.alpha && policy.kind == AlphaPolicy::Kind::keep && !job.format.holds_alpha()) {
    log.warning(fmt::format("{}: {} holds no transparency; laid over white (see --alpha)", picture.name,
                            job.format.extension().substr(1)));
    policy.kind = AlphaPolicy::Kind::flatten;
  }
  return policy;
}

void check_output_options(const OutputOptions& options) { AlphaPolicy::parse(options.alpha); }

}  // namespace sr
