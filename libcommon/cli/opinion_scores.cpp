#include "cli/opinion_scores.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/inputs.h"
#include "cli/text_table.h"
#include "core/records.h"
#include "weights/mat_file.h"

namespace sr {
namespace {

// --- columns -------------------------------------------------------------------------------------

/// The column that an option asks for.
std::size_t column_asked(const TextTable& table, const std::string& name, const std::string& file,
                         const char* option) {
  if (const auto found = column_called(table.header, name)) return *found;
  const auto width = static_cast<long>(table.rows.front().size());
  if (const auto number = parse_number(name, 1, width)) return static_cast<std::size_t>(*number) - 1;
  const auto known = table.header.empty() ? fmt::format("columns 1 to {}, without names", width)
                                          : fmt::format("{}", fmt::join(table.header, ", "));
  throw UsageError(fmt::format("{}: {} {} is not among its columns ({})", file, option, name, known));
}

std::size_t name_column(const TextTable& table, const OpinionOptions& options, const std::string& file) {
  if (!options.name_column.empty()) return column_asked(table, options.name_column, file, "--name-column");
  for (const auto* name : {"image_name", "image", "image_path", "img_name", "name", "filename", "file_name",
                           "file", "dist_img"}) {
    if (const auto found = column_called(table.header, name)) return *found;
  }
  return 0;
}

std::size_t score_column(const TextTable& table, const OpinionOptions& options, std::size_t names,
                         const std::string& file) {
  if (!options.score_column.empty()) return column_asked(table, options.score_column, file, "--mos-column");
  for (const auto* name : {"MOS", "DMOS", "mean_opinion_score", "mos_mean", "score"}) {
    if (const auto found = column_called(table.header, name)) return *found;
  }
  if (table.rows.front().size() == 2) return 1 - names;
  throw UsageError(fmt::format("{}: which column has the opinions? say it with --mos-column", file));
}

Opinions opinions_of(const TextTable& table, const OpinionOptions& options, const std::string& file) {
  if (!table.header.empty() && table.header.size() != table.rows.front().size()) {
    throw UsageError(fmt::format("{}:{}: {} fields instead of {}", file, table.lines[0],
                                 table.rows.front().size(), table.header.size()));
  }
  const std::size_t names = name_column(table, options, file);
  const std::size_t scores = score_column(table, options, names, file);
  if (names == scores) throw UsageError(fmt::format("{}: names and opinions are in one column", file));
  Opinions opinions;
  const auto is_other = [&](std::size_t i) { return i != names && i != scores; };
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    if (is_other(i)) opinions.columns.push_back(table.header[i]);
  }
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const auto& row = table.rows[r];
    const auto width = table.rows.front().size();
    if (row.size() != width)
      throw UsageError(
          fmt::format("{}:{}: {} fields instead of {}", file, table.lines[r], row.size(), width));
    const auto score = parse_real(row[scores]);
    if (!score || !std::isfinite(*score)) {
      throw UsageError(
          fmt::format("{}:{}: '{}' is no opinion score", file, table.lines[r], printable(row[scores])));
    }
    auto& opinion = opinions.rows.emplace_back(Opinion{row[names], *score, {}});
    for (std::size_t i = 0; i < table.header.size(); ++i) {
      if (is_other(i)) opinion.cells.push_back(row[i]);
    }
  }
  return opinions;
}

// --- PIPAL ---------------------------------------------------------------------------------------

/// Its three numbers where a name is A<reference>_<class>_<variant>, with any extension.
std::optional<std::array<std::string, 3>> pipal_parts(const std::string& name) {
  const std::string stem = fs::path(name).stem().string();
  constexpr std::size_t kLength = 11;  // A0001_00_00
  if (stem.size() != kLength || stem[0] != 'A' || stem[5] != '_' || stem[8] != '_') return std::nullopt;
  std::array<std::string, 3> parts = {stem.substr(0, 5), stem.substr(6, 2), stem.substr(9, 2)};
  const auto digits = parts[0].substr(1) + parts[1] + parts[2];
  if (digits.find_first_not_of("0123456789") != digits.npos) return std::nullopt;
  return parts;
}

std::string pipal_type(const std::string& number) {
  constexpr std::array<std::string_view, 7> kTypes = {
      "traditional SR", "PSNR-oriented SR",         "SR with kernel mismatch", "GAN-based SR",
      "denoising",      "SR and denoising jointly", "traditional distortions"};
  const auto at = parse_number(number, 0, kTypes.size() - 1);
  // 00 ... 06; the NTIRE challenges' are other numbers
  const auto id = static_cast<std::size_t>(at.value_or(0));
  return at ? fmt::format("{} {}", number, kTypes[id]) : number;
}

/// What PIPAL's names say, as columns, where all names are of its kind.
void add_pipal_columns(Opinions& opinions) {
  const bool all = std::all_of(opinions.rows.begin(), opinions.rows.end(),
                               [](const Opinion& row) { return pipal_parts(row.name).has_value(); });
  if (!all) return;
  opinions.columns.insert(opinions.columns.end(), {"reference", "type", "variant"});
  for (auto& row : opinions.rows) {
    const auto parts = *pipal_parts(row.name);
    row.cells.insert(row.cells.end(), {parts[0], pipal_type(parts[1]), parts[1] + '_' + parts[2]});
  }
}

Opinions read_text(const std::string& path, const OpinionOptions& options) {
  const std::string file = shown(path, "standard input");
  const TextTable table = parse_table(read_named_file(path), file);
  if (table.rows.empty()) throw UsageError(fmt::format("{}: there are no opinions in it", file));
  Opinions opinions;
  if (table.rows.front().size() > 1) {
    opinions = opinions_of(table, options, file);
  } else {
    opinions.nameless = true;
    for (std::size_t r = 0; r < table.rows.size(); ++r) {
      const auto score = table.rows[r].empty() ? std::nullopt : parse_real(table.rows[r][0]);
      if (!score || !std::isfinite(*score) || table.rows[r].size() != 1)
        throw UsageError(fmt::format("{}:{}: not one number", file, table.lines[r]));
      opinions.rows.push_back({"", *score, {}});
    }
  }
  return opinions;
}

Opinions read_label_folder(const fs::path& folder, const OpinionOptions& options) {
  std::vector<fs::path> files;
  boost::system::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const auto extension = at->path().extension();
    if (extension == ".txt" || extension == ".csv") files.push_back(at->path());
  }
  if (error) throw UsageError(fmt::format("{}: {}", printable(folder.string()), error.message()));
  if (files.empty())
    throw UsageError(fmt::format("{}: no opinions in this folder (no .txt, .csv or AllMOS_release.mat)",
                                 printable(folder.string())));
  std::sort(files.begin(), files.end());
  Opinions all;
  for (const auto& file : files) {
    auto part = read_text(file.string(), options);
    if (part.nameless || (&file != &files.front() && part.columns != all.columns))
      throw UsageError(fmt::format("{}: its columns are not those of the others", printable(file.string())));
    all.columns = part.columns;
    all.rows.insert(all.rows.end(), part.rows.begin(), part.rows.end());
  }
  return all;
}

// --- LIVE In the Wild ----------------------------------------------------------------------------

constexpr auto* kLiveScores = "AllMOS_release.mat";
constexpr auto* kLiveNames = "AllImages_release.mat";

/// The only variable of a .mat file that `fits`.
template <class Fits>
MatVariable only_variable(const fs::path& path, const char* what, const Fits& fits) {
  try {
    for (auto& [name, variable] : read_mat(path)) {
      if (fits(variable)) return std::move(variable);
    }
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
  throw UsageError(fmt::format("{}: there are no {} in it", printable(path.string()), what));
}

Opinions read_live(const fs::path& scores_file) {
  const auto names_file = scores_file.parent_path() / kLiveNames;
  const auto scores =
      only_variable(scores_file, "numbers", [](const MatVariable& v) { return !v.numbers.empty(); });
  const auto names =
      only_variable(names_file, "names", [](const MatVariable& v) { return v.texts.size() > 1; });
  if (scores.numbers.size() != names.texts.size()) {
    throw UsageError(fmt::format("{}: {} opinions for the {} names of {}", printable(scores_file.string()),
                                 scores.numbers.size(), names.texts.size(), kLiveNames));
  }
  Opinions opinions;
  for (std::size_t i = 0; i < names.texts.size(); ++i) {
    if (!std::isfinite(scores.numbers[i]))
      throw UsageError(fmt::format("{}: an opinion is not finite", printable(scores_file.string())));
    opinions.rows.push_back({names.texts[i], scores.numbers[i], {}});
  }
  return opinions;
}

Opinions read_any(const std::string& path, const OpinionOptions& options) {
  const fs::path name(path);
  if (is_stream(name)) return read_text(path, options);
  if (!is_folder(name)) return name.extension() == ".mat" ? read_live(name) : read_text(path, options);
  for (const auto& folder : {name, name / "Data"}) {
    if (path_exists(folder / kLiveScores)) return read_live(folder / kLiveScores);
  }
  return read_label_folder(name, options);
}

// --- names apart ---------------------------------------------------------------------------------

std::vector<std::string> listed_names(const std::string& list, Log& log) {
  std::vector<std::string> names;
  if (!is_stream(list) && is_folder(list)) {
    InputOptions options;
    options.names = {list};
    for (const auto& input : find_inputs(options, log).files) names.push_back(input.relative.string());
    return names;
  }
  for (const auto& line : split(read_named_file(list), '\n')) {
    if (const auto name = trimmed(line); !name.empty()) names.emplace_back(name);
  }
  return names;
}

void give_names(Opinions& opinions, const std::string& list, const std::string& file, Log& log) {
  const auto names = listed_names(list, log);
  if (names.size() != opinions.rows.size()) {
    throw UsageError(fmt::format("{}: {} opinions for the {} names of {}", file, opinions.rows.size(),
                                 names.size(), shown(list, "standard input")));
  }
  for (std::size_t i = 0; i < names.size(); ++i) opinions.rows[i].name = names[i];
  opinions.nameless = false;
}

}  // namespace

Opinions read_opinions(const std::string& path, const OpinionOptions& options, Log& log) {
  auto opinions = read_any(path, options);
  if (opinions.nameless && !options.names.empty())
    give_names(opinions, options.names, shown(path, "standard input"), log);
  if (!opinions.nameless) add_pipal_columns(opinions);
  return opinions;
}

}  // namespace sr
