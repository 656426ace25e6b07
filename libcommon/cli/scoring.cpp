#include "cli/scoring.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/report.h"
#include "core/pipeline.h"
#include "core/processor.h"
#include "core/signals.h"

namespace sr {
namespace {

std::unique_ptr<Report> make_report(const ScoringOptions& options, const ScoringTask& task,
                                    const ScoreTableLayout& layout) {
  if (options.report.empty()) return nullptr;
  const auto title =
      task.side_b.empty() ? task.side_a : fmt::format("{} against {}", task.side_a, task.side_b);
  ReportHead head{title, task.side_a, task.side_b, {}, layout.facts};
  for (const auto& measure : task.measures)
    head.columns.push_back({measure.name, measure.higher_is_better, measure.digits});
  return std::make_unique<Report>(options.report, std::move(head));
}

/// As the page takes them: [C,H,W] in [0,1].
Tensor unit_range(const Tensor& values) {
  return values.defined() ? values.to(at::kFloat).div(255) : Tensor();
}

/// The rows below the files: mean, and deviation where it is asked for. A shard has none: its mean is
/// nobody's.
std::vector<std::pair<std::string, Scores>> summary_of(const ScoreSheet& sheet, const ScoringOptions& options,
                                                       const ScoringTask& task) {
  std::vector<std::pair<std::string, Scores>> rows;
  if (sheet.measured() == 0 || !options.batch.shard.empty()) return rows;
  rows.emplace_back("mean", sheet.mean());
  if (task.complete) task.complete(rows.back().second);
  if (options.stats) rows.emplace_back("std", sheet.deviation());
  return rows;
}

}  // namespace

void add_scoring_options(Program& program, ScoringOptions& options) {
  constexpr auto* group = "Output";
  auto& app = program.app();
  add_table_options(program, options.table);
  app.add_flag("--stats", options.stats, "Below the mean a row of standard deviations")->group(group);
  app.add_option(
         "--report", options.report,
         "Write a page to FILE too: the table, bars, and every picture to look at (beside its reference)")
      ->type_name("FILE.html")
      ->group(group);
  add_threads_option(program, options.threads);
  add_batch_options(program, options.batch);
}

ScoreTableLayout table_layout(const TableOptions& options, std::vector<std::string> labels,
                              const std::vector<Measure>& measures) {
  const auto format = options.json ? TableFormat::json : table_format(options.format);
  return {std::move(labels), score_columns(measures), protocol_facts(measures), format, !options.no_header};
}

ExitStatus score_files(Program& program, const ScoringOptions& options, const ScoringTask& task) {
  auto layout = table_layout(options.table, {"file"}, task.measures);
  layout.facts.insert(layout.facts.begin(), task.facts.begin(), task.facts.end());
  const auto report = make_report(options, task, layout);
  ScoreTable table(stdout, "standard output", std::move(layout));
  ScoreSheet sheet(table, task.names, task.measures.size());
  Progress progress(program.log(), program.progress(), task.names.size());
  const int threads = threads_or_all(options.threads);
  const auto workers = share_threads(task.names.size(), threads, options.batch.jobs);
  for_each_in_flight(task.names.size(), workers.count, [&](size_t i) {
    at::set_num_threads(workers.threads_each);
    const at::NoGradGuard no_grad;
    std::optional<ScoredFile> file;
    attempt(program.log(), task.error_names(i), [&] { file = task.score(i); });
    if (report && file)
      report->add(i, task.names[i], file->scores, unit_range(file->picture), unit_range(file->reference));
    sheet.put(i, file ? std::optional(std::move(file->scores)) : std::nullopt);
    progress.advance(1);
  });
  check_interrupted();
  const auto summary = summary_of(sheet, options, task);
  for (const auto& [name, scores] : summary) table.summary({&name, 1}, scores);
  table.finish();
  if (report) report->finish(summary);
  return sheet.complete() ? ExitStatus::ok : ExitStatus::some_failed;
}

}  // namespace sr
