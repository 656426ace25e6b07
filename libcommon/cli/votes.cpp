#include "cli/votes.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

#include "cli/inputs.h"
#include "cli/score_table.h"
#include "cli/text_table.h"

namespace sr {
namespace {

ProgramInfo info() {
  return {
      "sr-metrics votes",
      "count the votes of a user study",
      "[OPTION]... FILE...",
      "Reads what readers saved from a page of sr-metrics study (- for standard input) and prints for "
      "each method its votes and their share of all in percent.\n"
      "\n"
      "A reader who saved twice counts once: of the votes of one name and number on a picture the last "
      "file's counts (pages put the time into their names, so votes-*.tsv has the order). Readers without "
      "either are told apart by their files.",
      {{"sr-metrics votes votes-*.tsv", "Count the votes."},
       {"sr-metrics votes --format latex votes-*.tsv", "Make a table of a paper."}}};
}

/// Who voted: name and number, or a file; and on which picture.
struct Ballot {
  std::string reader, number, file, picture;
  auto operator<=>(const Ballot&) const = default;
};

struct Votes {
  std::map<Ballot, std::string> choices;
  std::set<std::string> methods;  ///< that were shown
};

/// The places of these columns in a header's fields. Throws UsageError where one is missing.
std::vector<size_t> find_columns(const std::vector<std::string>& header, const std::string& file) {
  std::vector<size_t> places;
  for (const auto* name : {"picture", "choice", "shown", "reader", "number"}) {
    const auto at = std::find(header.begin(), header.end(), name);
    if (at == header.end())
      throw UsageError(fmt::format("{}: no column '{}': these are no votes", file, name));
    places.push_back(static_cast<size_t>(at - header.begin()));
  }
  return places;
}

void read_votes(const std::string& path, Votes& votes) {
  const auto file = shown(path, "standard input");
  const auto lines = lines_of(read_named_file(path));
  if (lines.empty()) throw UsageError(file + ": the file is empty");
  const auto header = tsv_fields(lines[0].text);
  const auto columns = find_columns(header, file);
  for (size_t i = 1; i < lines.size(); i++) {
    const auto fields = tsv_fields(lines[i].text);
    const auto number = lines[i].number;
    if (fields.size() != header.size()) throw UsageError(fmt::format("{}:{}: no vote", file, number));
    const auto field = [&](size_t column) { return fields[columns[column]]; };
    const auto methods = split(field(2), ',');
    if (std::find(methods.begin(), methods.end(), field(1)) == methods.end())
      throw UsageError(fmt::format("{}:{}: '{}' was not shown", file, number, printable(field(1))));
    votes.methods.insert(methods.begin(), methods.end());
    const bool known = !field(3).empty() || !field(4).empty();
    votes.choices[{field(3), field(4), known ? "" : path, field(0)}] = field(1);
  }
}

size_t different(const Votes& votes, auto of) {
  std::set<decltype(of(votes.choices.begin()->first))> values;
  for (const auto& [ballot, choice] : votes.choices) values.insert(of(ballot));
  return values.size();
}

/// Methods with their votes, the most chosen first, equal ones by name.
std::vector<std::pair<std::string, size_t>> counted(const Votes& votes) {
  std::map<std::string, size_t> counts;
  for (const auto& method : votes.methods) counts[method] = 0;
  for (const auto& [ballot, choice] : votes.choices) counts[choice]++;
  std::vector<std::pair<std::string, size_t>> rows(counts.begin(), counts.end());
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return rows;
}

}  // namespace

std::unique_ptr<Program> votes_program(VotesConfig& config) {
  auto program = std::make_unique<Program>(info());
  program->app().add_option("files", config.files, "What readers saved");
  add_table_options(*program, config.table);
  return program;
}

ExitStatus count_votes(Program&, const VotesConfig& config) {
  if (config.files.empty()) throw UsageError("name the files of votes");
  Votes votes;
  for (const auto& file : config.files) read_votes(file, votes);
  const auto readers = different(votes, [](const Ballot& b) { return std::tie(b.reader, b.number, b.file); });
  const auto pictures = different(votes, [](const Ballot& b) { return std::tie(b.picture); });
  const auto format = config.table.json ? TableFormat::json : table_format(config.table.format);
  ScoreTable table(stdout, "standard output",
                   {{"method"},
                    {{"votes", std::nullopt, 0}, {"share", std::nullopt, 1}},
                    {{"share_in", "percent"},
                     {"readers", std::to_string(readers)},
                     {"pictures", std::to_string(pictures)}},
                    format,
                    !config.table.no_header});
  const double all = std::max<double>(1, double(votes.choices.size()));
  for (const auto& [method, count] : counted(votes))
    table.row(std::vector{method}, std::vector<Score>{double(count), 100 * double(count) / all});
  table.finish();
  return ExitStatus::ok;
}

}  // namespace sr
