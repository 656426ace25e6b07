#include "cli/study.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/batch.h"
#include "cli/options.h"
#include "cli/page.h"
#include "cli/pairs.h"
#include "core/pipeline.h"
#include "core/processor.h"
#include "core/signals.h"
#include "image/vips.h"

namespace sr {
namespace {

using Json = nlohmann::ordered_json;

ProgramInfo info() {
  return {
      "sr-metrics study",
      "make a page on which people choose the best of several results",
      "[OPTION]... METHOD METHOD... -o PAGE.html",
      "Makes a page for a user study. METHODs are folders of results of the same pictures; the page shows "
      "one picture at a time, all methods' results of it without their names, in an order that is drawn "
      "from the seed and the picture's name, and beside them the reference, if there is one. Readers "
      "choose one by a click or its number; they can go back, skip, zoom into all at once, and stop and "
      "go on later in the same browser.\n"
      "\n"
      "The page is one file, which loads nothing and sends nothing: \"Save votes\" keeps a TSV, which "
      "readers send back, and sr-metrics votes counts. Its lines are the picture, the method chosen, all "
      "methods in the order shown, the seconds it took, and the reader's name and number. The order is "
      "the same for all readers, unless they give their numbers.\n"
      "\n"
      "A method is called as its folder: the last part of its name, where those differ.",
      {{"sr-metrics study --reference LR/ bsrgan/ stablesr/ ours/ -o study.html", "Make a page."},
       {"sr-metrics votes votes-*.tsv", "Count what came back."}}};
}

/// One picture of a study, and where it lies for each method, then for the reference.
struct StudyPicture {
  std::string name;
  std::vector<fs::path> paths;
};

std::string without_end(std::string folder) {
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  return folder;
}

/// Votes are told apart by these, in a list that commas part.
std::vector<std::string> method_names(const std::vector<std::string>& folders) {
  std::vector<std::string> whole, last;
  for (const auto& folder : folders) {
    whole.push_back(printable(without_end(folder)));
    last.push_back(printable(fs::path(without_end(folder)).filename().string()));
  }
  const bool differ = std::set<std::string>(last.begin(), last.end()).size() == last.size();
  for (const auto& name : differ ? last : whole) {
    if (name.find(',') != std::string::npos)
      throw UsageError(fmt::format("{}: a method's name can't have a comma", name));
  }
  return differ ? last : whole;
}

void check(const StudyConfig& config) {
  auto folders = config.methods;
  if (folders.size() < 2) throw UsageError("give two folders of results or more");
  if (config.output.empty()) throw UsageError("name the page by -o");
  if (!config.reference.empty()) folders.push_back(config.reference);
  for (const auto& folder : folders) {
    if (!is_folder(folder)) throw UsageError(fmt::format("{}: Not a folder", printable(folder)));
  }
  const auto names = method_names(config.methods);
  for (size_t i = 1; i < names.size(); i++) {
    for (size_t j = 0; j < i; j++) {
      if (names[i] == names[j] || fs::equivalent(config.methods[i], config.methods[j]))
        throw UsageError(fmt::format("{}: the same folder is given twice", printable(config.methods[i])));
    }
  }
}

/// What all folders have, in the order of the names; the others are told.
std::vector<StudyPicture> find_pictures(const StudyConfig& config, Log& log, bool& complete) {
  auto others = std::vector<std::string>(config.methods.begin() + 1, config.methods.end());
  if (!config.reference.empty()) others.push_back(config.reference);
  std::map<std::string, StudyPicture> pictures;
  for (const auto& other : others) {
    const auto found = pair_sides(config.methods[0], other, config.recursive, log);
    for (const auto& unmatched : found.unmatched) log.error(unmatched);
    complete = complete && found.unmatched.empty();
    for (const auto& [name, a, b] : found.pairs) {
      auto& picture = pictures[name];
      if (picture.paths.empty()) picture = {name, {a}};
      picture.paths.push_back(b);
    }
  }
  std::vector<StudyPicture> whole;
  for (auto& [name, picture] : pictures) {
    if (picture.paths.size() == others.size() + 1) whole.push_back(std::move(picture));
  }
  if (whole.empty()) throw UsageError("no picture is in all folders");
  return whole;
}

Tensor shown_picture(const fs::path& path, std::int64_t max_pixels) {
  return decode(open_picture(path, max_pixels), {AlphaPolicy::Kind::flatten});
}

/// A picture's element, those of its results in the methods' order, and that of its reference.
std::string row_of(const StudyPicture& picture, size_t place, const StudyConfig& config) {
  std::string stored;
  std::int64_t width = 0, height = 0;
  for (size_t i = 0; i < picture.paths.size(); i++) {
    const auto image = shown_picture(picture.paths[i], config.max_pixels);
    if (i == 0) {
      height = image.size(1);
      width = image.size(2);
    }
    const bool is_result = i < config.methods.size();
    if (is_result && (image.size(1) != height || image.size(2) != width)) {
      throw Error(fmt::format("{}: {}x{}, but {} is {}x{}", printable(picture.paths[i].string()),
                              image.size(2), image.size(1), printable(picture.paths[0].string()), width,
                              height));
    }
    stored += StoredPicture(image).script();
  }
  return json_script("class=\"row\"", {{"place", place}, {"name", printable(picture.name)}}) + stored;
}

/// Names that nobody reads in passing: in Base64.
Json veiled(const std::vector<std::string>& names) {
  auto result = Json::array();
  for (const auto& name : names) {
    const std::unique_ptr<char, void (*)(void*)> text(
        g_base64_encode(reinterpret_cast<const guchar*>(name.data()), name.size()), g_free);
    result.push_back(text.get());
  }
  return result;
}

}  // namespace

std::unique_ptr<Program> study_program(StudyConfig& config) {
  auto program = std::make_unique<Program>(info());
  auto& app = program->app();
  constexpr auto *input = "Input", *output = "Output";
  app.add_option("methods", config.methods, "Folders of results");
  app.add_option("--reference", config.reference, "Show the pictures of DIR too: LR or HR, of any size")
      ->type_name("DIR")
      ->group(input);
  app.add_flag("-r,--recursive", config.recursive, "Descend into folders")->group(input);
  add_max_pixels_option(*program, config.max_pixels);
  app.add_option("-o,--output", config.output, "The page")->type_name("FILE.html")->group(output);
  app.add_option("--title", config.title,
                 "The page's title, which says what to choose by (" + config.title + ")")
      ->type_name("TEXT")
      ->group(output);
  add_seed_option(*program, config.seed,
                  "What the methods' order is drawn from, beside the picture's name (0)")
      ->group(output);
  add_threads_option(*program, config.threads);
  return program;
}

ExitStatus make_study(Program& program, const StudyConfig& config) {
  check(config);
  auto& log = program.log();
  const int threads = threads_or_all(config.threads);
  const VipsSession vips(program.info().name.c_str(), threads);
  Page page(config.output, "study.html");
  bool complete = true;
  const auto pictures = find_pictures(config, log, complete);
  std::atomic<size_t> failed = 0;
  Progress progress(log, program.progress(), pictures.size());
  for_each_in_flight(pictures.size(), threads, [&](size_t i) {
    at::set_num_threads(1);
    Named names{printable(pictures[i].name)};
    for (const auto& path : pictures[i].paths) names.push_back(printable(path.string()));
    if (!attempt(log, names, [&] { page.add(i, row_of(pictures[i], i, config)); })) failed++;
    progress.advance(1);
  });
  check_interrupted();
  if (failed == pictures.size()) return ExitStatus::some_failed;
  const Json head{{"title", printable(config.title)},
                  {"seed", config.seed},
                  {"methods", veiled(method_names(config.methods))},
                  {"reference", !config.reference.empty()}};
  page.finish(json_script("id=\"head\"", head), "");
  return complete && failed == 0 ? ExitStatus::ok : ExitStatus::some_failed;
}

}  // namespace sr
