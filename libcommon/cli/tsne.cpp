#include "cli/tsne.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "cli/options.h"
#include "cli/score_file.h"
#include "cli/text_table.h"
#include "core/files.h"
#include "core/processor.h"
#include "core/records.h"
#include "core/signals.h"
#include "quality/tsne.h"

namespace sr {
namespace {

ProgramInfo info() {
  return {
      "sr-iqa tsne",
      "map rows of features into the plane by t-SNE",
      "[OPTION]... [FILE]...",
      "Reads rows as sr-iqa features prints them (TSV with its header or JSON lines; - or nothing: standard "
      "input; several files with the same columns are one set) and prints each picture's place in the plane: "
      "file, x, y. Pictures that look alike to the network lie close together. All columns of numbers "
      "count, as they are; those of text don't.\n"
      "\n"
      "This is the exact t-SNE of van der Maaten and Hinton (2008), with the settings of scikit-learn's: "
      "early exaggeration of 12 over 250 iterations, learning rate max(N / 48, 50), momentum 0.5 and then "
      "0.8, a start at the first two principal components. Time grows with the square of the number of rows: "
      "a few thousand are fine. The same rows, options and seed make the same bytes, whatever the number of "
      "threads; the seed matters to --init random alone. Axes have no meaning.\n"
      "\n"
      "scripts/plot-tsne draws the map, with a colour for each folder of pictures.",
      {{"sr-iqa features -m run/ --hr HR HR/ SR/ | sr-iqa tsne > map.tsv && scripts/plot-tsne map.tsv -o "
        "map.svg",
        "Draw how a discriminator sees real and restored pictures."},
       {"sr-iqa tsne --perplexity 50 --init random --seed 3 real.tsv fake.tsv > map.tsv",
        "Map two sets of rows, from a start by chance."}}};
}

/// Pictures' names and their features, of all files.
struct Rows {
  std::vector<std::string> names;
  std::vector<std::string> columns;
  std::vector<std::vector<double>> features;
};

std::string place_of(const std::string& file, const std::string& column) {
  return fmt::format("{}: column '{}'", shown(file, "standard input"), printable(column));
}

/// A column with some numbers is no text to leave out.
void check_labels(const ScoreFile& table, const std::string& file) {
  for (const auto& [column, texts] : table.labels) {
    const bool numbers = std::any_of(texts.begin(), texts.end(),
                                     [](const auto& text) { return parse_real(text).has_value(); });
    if (numbers) throw UsageError(fmt::format("{} has both numbers and text", place_of(file, column)));
  }
}

void add_rows(Rows& rows, const std::string& file) {
  const auto table = read_score_file(file);
  check_labels(table, file);
  std::vector<std::string> columns;
  std::vector<std::vector<double>> features(table.names.size());
  for (const auto& [column, values] : table.measures) {
    columns.push_back(column);
    for (std::size_t i = 0; i < features.size(); ++i) {
      if (!values[i] || !std::isfinite(*values[i]))
        throw UsageError(
            fmt::format("{} has no finite number for {}", place_of(file, column), printable(table.names[i])));
      features[i].push_back(*values[i]);
    }
  }
  if (rows.names.empty()) rows.columns = columns;
  if (columns != rows.columns) {
    throw UsageError(
        fmt::format("{}: its columns are not those of the first file", shown(file, "standard input")));
  }
  rows.names.insert(rows.names.end(), table.names.begin(), table.names.end());
  rows.features.insert(rows.features.end(), features.begin(), features.end());
}

Rows read_rows(std::vector<std::string> files) {
  if (files.empty()) files.emplace_back("-");
  if (std::count(files.begin(), files.end(), "-") > 1) throw UsageError("standard input can be read once");
  Rows rows;
  for (const auto& file : files) add_rows(rows, file);
  return rows;
}

Tensor matrix_of(const Rows& rows) {
  const auto count = rows.features.size(), features = rows.columns.size();
  Tensor matrix =
      at::empty({static_cast<std::int64_t>(count), static_cast<std::int64_t>(features)}, at::kDouble);
  for (std::size_t i = 0; i < count; ++i)
    std::copy(rows.features[i].begin(), rows.features[i].end(), matrix.data_ptr<double>() + i * features);
  return matrix;
}

void check_perplexity(double perplexity, std::size_t rows) {
  if (rows < 4) throw UsageError(fmt::format("t-SNE needs four rows or more, and there are {}", rows));
  if (perplexity < static_cast<double>(rows) - 1) return;
  throw UsageError(fmt::format("--perplexity: {} is too large for {} rows, it must be below {}",
                               number_text(perplexity), rows, static_cast<std::int64_t>(rows) - 1));
}

void write_points(const Rows& rows, const Tsne& tsne, const TsneConfig& config) {
  const auto about = fmt::format("exact, perplexity {}, {} iterations, {}, KL divergence {}",
                                 number_text(config.perplexity), config.iterations,
                                 config.init == "pca" ? "pca" : fmt::format("random, seed {}", config.seed),
                                 number_text(tsne.divergence()));
  RecordLayout layout{{"file", "x", "y"}, {{"tsne", about}}};
  layout.format = config.json ? RecordFormat::json : RecordFormat::tsv;
  layout.header = !config.no_header;
  if (config.no_header && !config.json) layout.facts.clear();
  RecordWriter records(stdout, "standard output", std::move(layout));
  const auto* points = tsne.points().data_ptr<double>();
  for (std::size_t i = 0; i < rows.names.size(); ++i)
    records.write({rows.names[i], points[2 * i], points[2 * i + 1]});
}

}  // namespace

std::unique_ptr<Program> tsne_program(TsneConfig& config) {
  auto program = std::make_unique<Program>(info());
  auto& app = program->app();
  app.add_option("files", config.files, "Rows of features");
  constexpr auto* group = "t-SNE";
  program->add_number("--perplexity", config.perplexity, 2, 100000, "Neighbours that count for each row (30)")
      ->type_name("NUMBER")
      ->group(group);
  app.add_option("--iterations", config.iterations, "Steps of the descent (1000)")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000))
      ->group(group);
  program
      ->add_choice("--init", config.init, "pca|random",
                   "Begin at the principal components, or by chance (pca)")
      ->group(group);
  add_seed_option(*program, config.seed, "What --init random is drawn from (0)")->group(group);
  app.add_flag("--json", config.json, "A JSON object a line")->group("Output");
  app.add_flag("--no-header", config.no_header, "No lines above the rows")->group("Output");
  add_threads_option(*program, config.threads);
  return program;
}

ExitStatus print_tsne(Program& program, const TsneConfig& config) {
  at::set_num_threads(threads_or_all(config.threads));
  const auto rows = read_rows(config.files);
  check_perplexity(config.perplexity, rows.names.size());
  const auto start = config.init == "pca" ? TsneOptions::Start::pca : TsneOptions::Start::random;
  auto tsne = needed_to_start([&] {
    return Tsne(matrix_of(rows), {config.perplexity, start, static_cast<std::uint64_t>(config.seed)});
  });
  Progress progress(program.log(), program.progress(), static_cast<size_t>(config.iterations));
  for (std::int64_t i = 0; i < config.iterations; ++i) {
    check_interrupted();
    tsne.step();
    progress.advance(1);
  }
  write_points(rows, tsne, config);
  return ExitStatus::ok;
}

}  // namespace sr
