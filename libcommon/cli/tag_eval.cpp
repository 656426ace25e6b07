#include "cli/tag_eval.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>

#include "cli/name_matches.h"
#include "cli/score_table.h"
#include "cli/tag_file.h"
#include "cli/tag_truth.h"
#include "core/processor.h"
#include "image/vips.h"
#include "tagging/evaluation.h"

namespace sr {
namespace {

ProgramInfo info() {
  return {
      "sr-tag eval",
      "compare tags with labels: OP, OR, AP",
      "[OPTION]... --truth LABELS {IN...|--predictions FILE}",
      "Tags pictures, or reads what sr-tag printed, and compares with labels: OP, correct predictions over "
      "predictions, and OR, correct predictions over labels, each a quotient of sums over classes and "
      "pictures, as in SeeSR's supplement, Eq. (1); AP, the mean over classes of the mean over labels of the "
      "precision at the threshold that lets each label pass; OF1, the harmonic mean of OP and OR; CP, CR and "
      "CF1, the same of means over classes. All are from 0 to 1; the paper prints AP in per cent.\n"
      "\n"
      "LABELS is COCO's annotations of instances as they come (instances_val2017.json), or lines of a file's "
      "name, a tab, and tags parted by commas, or anything that sr-tag prints. The classes are COCO's "
      "categories, or all tags of the file; predictions of other tags don't count. A class must be called as "
      "the tag is: --synonyms tells other words.\n"
      "\n"
      "AP needs probabilities, also below the thresholds: of --predictions it is that of the tags in the "
      "file, so print all (sr-tag --scores --top 5000); without probabilities it stays empty. A row's "
      "threshold tells whether the tag is predicted; without one it is.\n"
      "\n"
      "Pictures are matched by the whole name, else by the name below the last slash, else by that without "
      "its extension. Pictures without labels are an error, but the others are compared; labels of other "
      "pictures don't count.",
      {{"sr-tag eval -m dape --truth instances_val2017.json --synonyms coco.tsv val2017/",
        "Measure DAPE on COCO."},
       {"sr-tag --scores --top 5000 lr/ > p.tsv && sr-tag eval --truth labels.tsv --predictions p.tsv",
        "Tag once, compare often."},
       {"sr-tag hr/ | sr-tag eval --truth - --by-class lr/", "Take what is seen in HR pictures for true."}}};
}

// --- outcomes ------------------------------------------------------------------------------------

/// Every class on every picture that is compared.
class Outcomes {
 public:
  Outcomes(const TagTruth& truth, std::map<std::string, std::string> class_of)
      : truth_(truth), class_of_(std::move(class_of)), of_class_(truth.classes.size()) {
    for (size_t c = 0; c < truth.classes.size(); ++c) places_[truth.classes[c]] = c;
  }

  /// The class that a tag means, if any.
  std::optional<size_t> class_of(const std::string& tag) const {
    const auto other = class_of_.find(tag);
    const auto found = places_.find(other == class_of_.end() ? tag : other->second);
    return found == places_.end() ? std::nullopt : std::optional(found->second);
  }

  /// Tags of a picture, whose labels are number `place` of the truth. Several of one class: it is predicted
  /// if one of them is, and as probable as the most probable.
  void add(size_t place, const TagGuesses& guesses) {
    for (size_t c = 0; c < of_class_.size(); ++c)
      of_class_[c].push_back({truth_.labels[place].contains(c), false, std::nullopt});
    for (const auto& guess : guesses) {
      const auto c = class_of(guess.tag);
      if (!c) continue;
      auto& outcome = of_class_[*c].back();
      outcome.predicted = outcome.predicted || guess.present;
      if (guess.probability)
        outcome.probability = std::max(outcome.probability.value_or(0), *guess.probability);
    }
  }

  const std::vector<TagOutcome>& of_class(size_t c) const { return of_class_[c]; }
  size_t pictures() const { return of_class_.empty() ? 0 : of_class_[0].size(); }

 private:
  const TagTruth& truth_;
  std::map<std::string, std::string> class_of_;
  std::map<std::string, size_t> places_;
  std::vector<std::vector<TagOutcome>> of_class_;
};

/// Matches, with a word on those that have no labels.
NameMatches matched_names(const std::vector<std::string>& names, const TagTruth& truth, Log& log) {
  auto matches = match_names(names, truth.names);
  tell_names(log, matches.missing, "pictures without labels");
  tell_names(log, matches.ambiguous, "pictures with several labels' lines, or that share one, left out");
  if (matches.matched().empty()) throw UsageError("no picture has labels: their names differ");
  return matches;
}

bool all_matched(const NameMatches& matches) { return matches.missing.empty() && matches.ambiguous.empty(); }

// --- predictions from a file, or made here -------------------------------------------------------

/// What was compared.
struct Compared {
  bool complete = true;  ///< every picture
  bool scored = true;    ///< with probabilities
};

/// Whether a tag counts as predicted under a threshold that was asked for.
TagGuesses rejudged(TagGuesses guesses, double threshold, const std::string& file) {
  if (threshold < 0) return guesses;
  for (auto& guess : guesses) {
    if (!guess.probability) throw UsageError(fmt::format("--threshold: {} has no probabilities", file));
    guess.present = static_cast<float>(*guess.probability) > static_cast<float>(threshold);
  }
  return guesses;
}

Compared compare_file(const TagEvalConfig& config, const TagTruth& truth, Outcomes& outcomes, Log& log) {
  const auto file = read_tag_file(config.predictions);
  const auto matches = matched_names(file.names, truth, log);
  const auto name = shown(config.predictions, "standard input");
  for (const size_t i : matches.matched())
    outcomes.add(*matches.place[i], rejudged(file.tags[i], config.threshold, name));
  if (!file.scored) log.warning(fmt::format("{}: no AP, it has no probabilities", name));
  return {all_matched(matches), file.scored};
}

/// Those of the network's tags that mean a class.
std::vector<size_t> tags_of_classes(const TagList& tags, const TagTruth& truth, const Outcomes& outcomes,
                                    Log& log) {
  std::vector<size_t> kept;
  std::set<size_t> known;
  for (size_t i = 0; i < tags.names.size(); ++i) {
    const auto c = outcomes.class_of(tags.names[i]);
    if (!c) continue;
    kept.push_back(i);
    known.insert(*c);
  }
  std::vector<std::string> unknown;
  for (size_t c = 0; c < truth.classes.size(); ++c) {
    if (!known.contains(c)) unknown.push_back(truth.classes[c]);
  }
  tell_names(log, unknown, "classes that the network has no tag for; see --synonyms");
  return kept;
}

TagGuesses guesses_of(const Tensor& probabilities, const Tensor& thresholds, const TagList& tags,
                      const std::vector<size_t>& kept) {
  const auto* values = probabilities.data_ptr<float>();
  const auto* limits = thresholds.data_ptr<float>();
  TagGuesses guesses;
  for (const size_t i : kept) guesses.push_back({tags.names[i], values[i] > limits[i], values[i]});
  return guesses;
}

Compared compare_pictures(Program& program, const TagEvalConfig& config, const TagTruth& truth,
                          Outcomes& outcomes) {
  auto& log = program.log();
  const VipsSession vips("sr-tag", threads_or_all(config.tagger.compute.threads));
  const auto inputs = find_inputs(config.input, log);
  for (const auto& missing : inputs.missing) log.error(missing);
  std::vector<std::string> names;
  for (const auto& file : inputs.files) names.push_back(row_name(file));
  const auto matches = matched_names(names, truth, log);
  const auto matched = matches.matched();
  Tagger tagger(config.tagger);
  const auto kept = tags_of_classes(tagger.tags(), truth, outcomes, log);
  const auto thresholds = chosen_thresholds(tagger.tags(), {config.threshold, 0});
  TaggingTask task{{}, config.max_pixels, config.tagger.batch, config.batch.jobs, {}};
  for (const size_t i : matched) task.files.push_back(inputs.files[i]);
  task.done = [&](size_t i, const TaggedPicture& picture) {
    outcomes.add(*matches.place[matched[i]],
                 guesses_of(picture.probabilities, thresholds, tagger.tags(), kept));
    return true;
  };
  const bool well = tag_files(program, tagger, task);
  return {well && all_matched(matches) && inputs.missing.empty(), true};
}

// --- the table -----------------------------------------------------------------------------------

std::vector<ScoreColumn> columns() {
  std::vector<ScoreColumn> columns;
  for (const auto* name : {"pictures", "labelled", "predicted", "correct"})
    columns.push_back({name, std::nullopt, 0});
  for (const auto* name : {"op", "or", "ap", "of1", "cp", "cr", "cf1"}) columns.push_back({name, true, 4});
  return columns;
}

/// A row of what `classes` sum up to.
std::vector<Score> row_of(size_t pictures, std::span<const TagCounts> classes, Score ap) {
  TagCounts total;
  for (const auto& counts : classes) total += counts;
  const TagScores scores = tag_scores(classes);
  return {static_cast<double>(pictures),
          static_cast<double>(total.labelled),
          static_cast<double>(total.predicted),
          static_cast<double>(total.correct),
          scores.op,
          scores.or_,
          ap,
          scores.of1,
          scores.cp,
          scores.cr,
          scores.cf1};
}

Score mean_of(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

void write_table(const TagEvalConfig& config, const TagTruth& truth, const Outcomes& outcomes, bool scored) {
  const auto format = config.table.json ? TableFormat::json : table_format(config.table.format);
  ScoreTable table(stdout, "standard output",
                   {{"class"},
                    columns(),
                    {{"truth", is_stream(config.truth) ? "standard input" : config.truth},
                     {"classes", std::to_string(truth.classes.size())},
                     {"ap_protocol", "mean over labels of precision at each, mean over labelled classes"}},
                    format,
                    !config.table.no_header});
  std::vector<TagCounts> classes;
  std::vector<double> precisions;
  for (size_t c = 0; c < truth.classes.size(); ++c) {
    classes.push_back(count_tags(outcomes.of_class(c)));
    const auto ap = scored ? average_precision(outcomes.of_class(c)) : std::nullopt;
    if (ap) precisions.push_back(*ap);
    if (config.by_class)
      table.row({&truth.classes[c], 1}, row_of(outcomes.pictures(), {&classes.back(), 1}, ap));
  }
  const std::string all = "all";
  table.summary({&all, 1}, row_of(outcomes.pictures(), classes, mean_of(precisions)));
  table.finish();
}

void check_usage(const TagEvalConfig& config) {
  if (config.truth.empty()) throw UsageError("no labels: give --truth LABELS");
  const bool pictures = !config.input.names.empty() || !config.input.files_from.empty();
  if (pictures && !config.predictions.empty()) throw UsageError("give pictures or --predictions, not both");
  if (!pictures && config.predictions.empty()) throw UsageError("give pictures, or --predictions FILE");
  const auto streams = std::count(config.input.names.begin(), config.input.names.end(), "-");
  int others = 0;
  for (const auto& name : {config.truth, config.predictions, config.synonyms, config.input.files_from})
    others += name == "-" ? 1 : 0;
  if (streams + others > 1) throw UsageError("only one of the files can be standard input");
}

void add_eval_options(Program& program, TagEvalConfig& config) {
  constexpr auto* group = "Labels";
  auto& app = program.app();
  app.add_option("--truth", config.truth, "What pictures truly show: COCO's annotations, or lines of tags")
      ->type_name("LABELS")
      ->group(group);
  app.add_option("--synonyms", config.synonyms,
                 "Other words for classes: lines of a class, a tab and a tag (share/synonyms/coco.tsv for "
                 "COCO and RAM)")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--predictions", config.predictions, "Take what sr-tag printed instead of pictures")
      ->type_name("FILE")
      ->group("Input");
  program
      .add_number("--threshold", config.threshold, 0, 1,
                  "A tag must be more probable than P; default: each has its own threshold")
      ->type_name("P")
      ->group("Tags");
  app.add_flag("--by-class", config.by_class, "A row for each class too")->group("Output");
}

}  // namespace

std::unique_ptr<Program> tag_eval_program(TagEvalConfig& config) {
  auto program = std::make_unique<Program>(info());
  add_input_options(*program, config.input);
  add_max_pixels_option(*program, config.max_pixels);
  add_eval_options(*program, config);
  add_table_options(*program, config.table);
  add_tagger_options(*program, config.tagger);
  return program;
}

ExitStatus evaluate_tags(Program& program, const TagEvalConfig& config) {
  check_usage(config);
  const auto truth = read_tag_truth(config.truth);
  auto class_of =
      config.synonyms.empty() ? std::map<std::string, std::string>{} : read_synonyms(config.synonyms);
  Outcomes outcomes(truth, std::move(class_of));
  const auto compared = config.predictions.empty() ? compare_pictures(program, config, truth, outcomes)
                                                   : compare_file(config, truth, outcomes, program.log());
  write_table(config, truth, outcomes, compared.scored);
  return compared.complete ? ExitStatus::ok : ExitStatus::some_failed;
}

}  // namespace sr
