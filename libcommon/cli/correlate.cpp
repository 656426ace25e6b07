#include "cli/correlate.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

#include "cli/name_matches.h"
#include "cli/score_file.h"
#include "cli/score_table.h"
#include "core/files.h"
#include "core/torch.h"
#include "quality/correlation.h"

namespace sr {
namespace {

ProgramInfo info() {
  return {
      "sr-iqa correlate",
      "correlate quality scores with opinion scores: PLCC, SRCC, KRCC, RMSE",
      "[OPTION]... SCORES MOS",
      "Reads what sr-iqa printed (TSV or JSON lines, those of several shards one after the other too; - "
      "for standard input) and published opinion scores, and prints for each measure the number of "
      "pictures and how well it agrees with the opinions: Pearson's (PLCC), Spearman's (SRCC) and "
      "Kendall's (KRCC, tau-b) correlation and the RMSE, as they are and after the logistic curves of "
      "four and five parameters that are fitted first, as papers do. SRCC and KRCC don't change by "
      "curves. Correlations keep their sign: a measure that falls with quality has negative ones, but for "
      "those after a curve, which turns it round.\n"
      "\n"
      "Opinions are read as they are published: KonIQ-10k (koniq10k_scores_and_distributions.csv), LIVE "
      "In the Wild (AllMOS_release.mat beside AllImages_release.mat, or the folder of both), PIPAL (the "
      "folder Train_Label, or a file of it), Ma et al. (mean_subject_scores.txt, which has no names: give "
      "their list by --names), and any table of commas, tabs or semicolons, with a header or just names "
      "and scores. Without --names, scores that have none belong to the pictures in the order of their "
      "names, if they are as many.\n"
      "\n"
      "Pictures are matched by the whole name, else by the name below the last slash, else by that "
      "without its extension. Pictures without an opinion are an error, but the others are correlated. "
      "What there is no correlation of, such as constant scores or fewer than three points, stays empty, "
      "with a warning.\n"
      "\n"
      "--by makes a row for each value of a column of either file. PIPAL's names give the columns type "
      "(00 traditional SR, 01 PSNR-oriented SR, 02 SR with kernel mismatch, 03 GAN-based SR, 04 "
      "denoising, 05 SR and denoising jointly, 06 traditional distortions: the release has numbers only, "
      "which are told by the numbers of variants in the paper's table), variant and reference.",
      {{"sr-iqa correlate scores.tsv koniq10k_scores_and_distributions.csv", "Correlate with KonIQ-10k."},
       {"sr-iqa correlate --by type scores.tsv PIPAL/Train_Label", "See PIPAL's types of distortion apart."},
       {"sr-iqa -m niqe koniq/ | sr-iqa correlate --format latex - koniq.csv", "Make a table of a paper."}}};
}

std::vector<std::string> names_of(const Opinions& opinions) {
  std::vector<std::string> names;
  for (const auto& row : opinions.rows) names.push_back(row.name);
  return names;
}

/// Scores without names of their own: of the pictures in the order of their names.
void name_in_order(Opinions& opinions, std::vector<std::string> names, const std::string& file, Log& log) {
  if (names.size() != opinions.rows.size()) {
    throw UsageError(
        fmt::format("{}: its {} opinions have no names, and there are {} pictures; list the names by --names",
                    file, opinions.rows.size(), names.size()));
  }
  std::sort(names.begin(), names.end());
  for (std::size_t i = 0; i < names.size(); ++i) opinions.rows[i].name = names[i];
  log.warning(fmt::format("{}: it has no names, taken to be in the order of the pictures' names", file));
}

// --- groups --------------------------------------------------------------------------------------

/// Scores with an opinion.
using Members = std::vector<std::size_t>;

/// The value of column `by` for a score, from its own file or from the opinions'.
std::function<std::string(std::size_t)> column_of(const std::string& by, const ScoreFile& scores,
                                                  const Opinions& opinions, const NameMatches& matches) {
  const auto is_by = [&](const auto& measure) { return measure.first == by; };
  if (std::any_of(scores.measures.begin(), scores.measures.end(), is_by))
    throw UsageError(fmt::format("--by: '{}' holds scores, which make no groups", by));
  const auto own = scores.labels.find(by);
  if (own != scores.labels.end()) return [own](std::size_t i) { return own->second[i]; };
  const auto at = std::find(opinions.columns.begin(), opinions.columns.end(), by);
  if (at == opinions.columns.end()) {
    auto known = opinions.columns;
    for (const auto& [name, texts] : scores.labels) known.push_back(name);
    throw UsageError(fmt::format("--by: '{}' is a column of neither file ({})", by, fmt::join(known, ", ")));
  }
  const auto column = static_cast<std::size_t>(at - opinions.columns.begin());
  return [&, column](std::size_t i) { return opinions.rows[*matches.place[i]].cells[column]; };
}

std::map<std::string, Members> groups_of(const std::string& by, const ScoreFile& scores,
                                         const Opinions& opinions, const NameMatches& matches) {
  std::map<std::string, Members> groups;
  if (by.empty()) return groups;
  const auto column = column_of(by, scores, opinions, matches);
  for (std::size_t i = 0; i < scores.names.size(); ++i) {
    if (matches.place[i]) groups[column(i)].push_back(i);
  }
  return groups;
}

// --- results -------------------------------------------------------------------------------------

std::vector<ScoreColumn> columns() {
  std::vector<ScoreColumn> columns{{"n", std::nullopt, 0}};
  for (const auto* name : {"plcc", "srcc", "krcc"}) columns.push_back({name, true, 4});
  columns.push_back({"rmse", false, 4});
  for (const auto* curve : {"logistic4", "logistic5"}) {
    columns.push_back({fmt::format("plcc_{}", curve), true, 4});
    columns.push_back({fmt::format("rmse_{}", curve), false, 4});
  }
  return columns;
}

struct Paired {
  std::vector<double> scores, opinions;
};

double range_of(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return *high - *low;
}

/// Why there is no correlation; empty where there is one.
std::string obstacle(const Paired& points) {
  constexpr std::size_t kLeast = 3;
  if (points.scores.size() < kLeast) return fmt::format("{} points are too few", points.scores.size());
  if (is_constant(points.scores)) return "all scores are equal";
  return is_constant(points.opinions) ? "all opinions are equal" : "";
}

/// PLCC and RMSE after the curve.
void add_fit(std::vector<Score>& row, const Paired& points, Logistic curve, const std::string& where,
             Log& log) {
  if (static_cast<std::int64_t>(points.scores.size()) < parameters_of(curve)) {
    log.warning(fmt::format("{}: {} points are too few for a curve of {} parameters", where,
                            points.scores.size(), parameters_of(curve)));
    row.insert(row.end(), {std::nullopt, std::nullopt});
    return;
  }
  const auto fitted = fit_logistic(points.scores, points.opinions, curve).fitted;
  // what is left of a flat curve is rounding, which may correlate as it likes
  constexpr double kFlat = 1e-9;
  const bool flat = range_of(fitted) <= kFlat * range_of(points.opinions);
  if (flat) {
    log.warning(
        fmt::format("{}: no correlation, the curve of {} parameters is flat", where, parameters_of(curve)));
  }
  row.push_back(flat ? std::nullopt : Score(plcc(fitted, points.opinions)));
  row.push_back(rmse(fitted, points.opinions));
}

std::vector<Score> row_of(const Paired& points, const std::string& where, Log& log) {
  std::vector<Score> row{static_cast<double>(points.scores.size())};
  if (const auto reason = obstacle(points); !reason.empty()) {
    log.warning(fmt::format("{}: no correlation, {}", where, reason));
    row.resize(columns().size());
    return row;
  }
  for (const auto measure : {plcc, srcc, krcc, rmse}) row.push_back(measure(points.scores, points.opinions));
  add_fit(row, points, Logistic::four, where, log);
  add_fit(row, points, Logistic::five, where, log);
  return row;
}

/// All that rows are made of.
struct Joined {
  const ScoreFile& scores;
  const Opinions& opinions;
  const NameMatches& matches;
};

Paired points_of(const Joined& joined, const std::vector<std::optional<double>>& values,
                 const Members& members) {
  Paired points;
  for (const auto i : members) {
    if (!values[i] || !std::isfinite(*values[i])) continue;
    points.scores.push_back(*values[i]);
    points.opinions.push_back(joined.opinions.rows[*joined.matches.place[i]].score);
  }
  return points;
}

/// Tells the scores of a measure that are no numbers; whether there were any.
bool tell_unusable(const Joined& joined, const std::string& measure,
                   const std::vector<std::optional<double>>& values, const Members& members, Log& log) {
  std::vector<std::string> names;
  for (const auto i : members) {
    if (!values[i] || !std::isfinite(*values[i])) names.push_back(joined.scores.names[i]);
  }
  tell_names(log, names, fmt::format("{}: no finite score, left out", measure));
  return !names.empty();
}

/// Writes all rows; whether every score could be used.
bool write_rows(ScoreTable& table, const Joined& joined, const Members& all,
                const std::map<std::string, Members>& groups, const std::string& by, Log& log) {
  bool usable = true;
  for (const auto& [measure, values] : joined.scores.measures) {
    if (tell_unusable(joined, measure, values, all, log)) usable = false;
    for (const auto& [group, members] : groups) {
      const auto where = fmt::format("{}, {}", measure, printable(group));
      table.row(std::vector<std::string>{measure, group},
                row_of(points_of(joined, values, members), where, log));
    }
    std::vector<std::string> labels{measure};
    if (!by.empty()) labels.emplace_back("all");
    table.row(labels, row_of(points_of(joined, values, all), measure, log));
  }
  return usable;
}

}  // namespace

std::unique_ptr<Program> correlate_program(CorrelateConfig& config) {
  auto program = std::make_unique<Program>(info());
  auto& app = program->app();
  app.add_option("files", config.files, "Scores and opinions");
  constexpr auto* input = "Input";
  app.add_option("--name-column", config.opinions.name_column,
                 "Column of MOS with the pictures' names: its name, or its number from 1 (image_name, image, "
                 "name, file ..., else the first)")
      ->type_name("COLUMN")
      ->group(input);
  app.add_option("--mos-column", config.opinions.score_column,
                 "Column of MOS with the opinion scores (MOS, else the other one of two)")
      ->type_name("COLUMN")
      ->group(input);
  app.add_option("--names", config.opinions.names,
                 "Names for opinions that have none: a list, one a line, or a folder of pictures")
      ->type_name("FILE")
      ->group(input);
  app.add_option("--by", config.by, "A row for each value of this column of SCORES or MOS, too")
      ->type_name("COLUMN")
      ->group("Output");
  add_table_options(*program, config.table);
  return program;
}

ExitStatus correlate(Program& program, const CorrelateConfig& config) {
  auto& log = program.log();
  if (config.files.size() != 2) throw UsageError("give a file of scores and the opinions (MOS)");
  at::set_num_threads(1);  // curves of some thousand points are too small to share
  if (std::count(config.files.begin(), config.files.end(), "-") + (config.opinions.names == "-" ? 1 : 0) > 1)
    throw UsageError("only one of SCORES, MOS and --names can be standard input");
  const auto file = shown(config.files[1], "standard input");
  const auto scores = read_score_file(config.files[0]);
  auto opinions = read_opinions(config.files[1], config.opinions, log);
  if (opinions.nameless) name_in_order(opinions, scores.names, file, log);
  const auto matches = match_names(scores.names, names_of(opinions));
  const Members members = matches.matched();
  tell_names(log, matches.missing, "pictures without an opinion");
  tell_names(log, matches.ambiguous, "pictures with several opinions, or that share one, left out");
  if (members.empty()) {
    throw UsageError(
        fmt::format("no picture of {} has an opinion in {}", shown(config.files[0], "standard input"), file));
  }
  log.detail(fmt::format("{} of {} pictures and {} opinions matched", members.size(), scores.names.size(),
                         opinions.rows.size()));
  const auto groups = groups_of(config.by, scores, opinions, matches);
  std::vector<std::string> labels{"measure"};
  if (!config.by.empty()) labels.push_back(config.by);
  const auto format = config.table.json ? TableFormat::json : table_format(config.table.format);
  const auto source = is_stream(config.files[1]) ? file : config.files[1];  // the table escapes names itself
  ScoreTable table(stdout, "standard output",
                   {labels, columns(), {{"opinions", source}}, format, !config.table.no_header});
  const bool usable = write_rows(table, {scores, opinions, matches}, members, groups, config.by, log);
  table.finish();
  const bool all = usable && members.size() == scores.names.size();
  return all ? ExitStatus::ok : ExitStatus::some_failed;
}

}  // namespace sr
