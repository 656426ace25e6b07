#include "cli/semantics.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/embedding_files.h"
#include "cli/name_matches.h"
#include "cli/offers.h"
#include "cli/tag_choice.h"
#include "cli/tagged_files.h"
#include "cli/weights_source.h"

namespace sr {
namespace {

TaggerOptions tagger_options(const SemanticsOptions& options, const std::string& weights,
                             const ComputeOptions& compute) {
  TaggerOptions tagger;
  tagger.model = options.dape.empty() ? options.tagger : options.dape;
  tagger.weights = weights;
  tagger.compute = compute;
  return tagger;
}

void check(const SemanticsOptions& options) {
  if (options.no_hard && !options.tags.empty()) throw UsageError("--no-hard leaves --tags no use");
  if (options.no_soft && !options.embeds.empty()) throw UsageError("--no-soft leaves --embeds no use");
  if (options.tagger == "none" && !options.dape.empty()) throw UsageError("--tagger none has no --dape");
}

}  // namespace

void add_semantics_options(Program& program, SemanticsOptions& options) {
  constexpr auto* group = "Semantics";
  auto& app = program.app();
  app.add_option("--tags", options.tags,
                 "Take the tags from what sr-tag printed (-: standard input), by the pictures' names")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--embeds", options.embeds,
                 "Take the representation embeddings that sr-tag --embeds wrote: a folder, or of one picture "
                 "its file")
      ->type_name("DIR|FILE")
      ->group(group);
  program
      .add_choice("--tagger", options.tagger, "dape|ram|none",
                  "What sees the pictures, where --tags and --embeds don't say: DAPE, RAM, or nothing")
      ->group(group);
  app.add_option("--dape", options.dape, "Its checkpoint, in place of the catalogue's dape or ram")
      ->type_name("FILE")
      ->group(group);
  program.offer("--dape", models_of("tagger"));
  app.add_flag("--no-hard", options.no_hard, "No tags in the prompt")->group(group);
  app.add_flag("--no-soft", options.no_soft, "No representation cross-attention: its layers are passed over")
      ->group(group);
}

Semantics::Semantics(const SemanticsOptions& options, const std::string& weights,
                     const ComputeOptions& compute)
    : options_(options), tagger_options_(tagger_options(options, weights, compute)) {
  check(options);
  if (!options.tags.empty()) tags_ = read_tag_file(options.tags);
  const bool sees = options.tagger != "none";
  needs_tags_ = sees && !tags_ && !options.no_hard;
  needs_embeddings_ = sees && options.embeds.empty() && !options.no_soft;
  if (!needs_tagger()) return;
  const WeightsSource source(weights);
  for (const auto* name : {"ram", "ram-tags", "ram-thresholds"}) source.find(name);
  source.find(tagger_options_.model);
}

std::string Semantics::recorded_tags(const Input& input) const {
  const auto matches = match_names({row_name(input)}, tags_->names);
  const auto place = matches.place.front();
  if (!place) {
    throw Error(fmt::format("{} {} of it", shown(options_.tags, "standard input"),
                            matches.ambiguous.empty() ? "tells no tags" : "has several rows that could be"));
  }
  std::vector<std::string> names;
  for (const auto& guess : tags_->tags[*place]) {
    if (guess.present) names.push_back(guess.tag);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

PictureSemantics Semantics::recorded(const Input& input) const {
  PictureSemantics semantics;
  if (tags_) semantics.tags = recorded_tags(input);
  if (!options_.embeds.empty()) semantics.embeddings = read_embedding(embedding_of(input, options_.embeds));
  return semantics;
}

Tagger Semantics::tagger() const { return Tagger(tagger_options_); }

void Semantics::complete(PictureSemantics& semantics, Tagger& tagger, const Tensor& image) const {
  const auto seen = tagger(tagger.input(image)).front();
  check_finite(seen);
  if (needs_tags_) {
    const TagChoice choice;
    const auto thresholds = chosen_thresholds(tagger.tags(), choice);
    semantics.tags = joined_tags(tagger.tags(), chosen_tags(seen.probabilities, thresholds, choice));
  }
  if (needs_embeddings_) semantics.embeddings = seen.embeddings;
}

}  // namespace sr
