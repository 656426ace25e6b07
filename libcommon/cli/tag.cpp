#include "cli/tag.h"

#include <CLI/CLI.hpp>

#include "cli/batch.h"
#include "cli/embedding_files.h"
#include "cli/tag_rows.h"
#include "core/processor.h"
#include "image/vips.h"

namespace sr {
namespace {

void add_output_form_options(Program& program, TagConfig& config) {
  constexpr auto* group = "Output";
  auto& app = program.app();
  app.add_flag("--scores", config.scores, "A row a tag: its probability, and its threshold")->group(group);
  app.add_flag("--json", config.json, "A JSON object a line")->group(group);
  app.add_flag("--no-header", config.no_header, "No lines above the rows")->group(group);
  app.add_option("--embeds", config.embeds,
                 "Write representation embeddings too: into DIR, a safetensors file a picture, or, of one "
                 "picture, to FILE.safetensors")
      ->type_name("DIR|FILE")
      ->group(group);
}

/// A file of results for every picture of this shard; none without --embeds.
std::vector<fs::path> plan_embeddings(const Inputs& inputs, const TagConfig& config) {
  if (config.embeds.empty()) return {};
  return shard_of(embedding_targets(inputs, config.embeds), config.batch.shard);
}

TagRowsLayout rows_layout(const TagConfig& config) {
  const auto format = config.json ? RecordFormat::json : RecordFormat::tsv;
  return {config.scores, format, !config.no_header, config.tagger.model};
}

}  // namespace

void add_tag_options(Program& program, TagConfig& config) {
  add_input_options(program, config.input);
  add_max_pixels_option(program, config.max_pixels);
  add_tag_choice_options(program, config.choice);
  add_output_form_options(program, config);
  add_tagger_options(program, config.tagger);
  add_batch_options(program, config.batch);
}

ExitStatus tag(Program& program, const TagConfig& config) {
  auto& log = program.log();
  const VipsSession vips(program.info().name.c_str(), threads_or_all(config.tagger.compute.threads));
  const auto inputs = find_inputs(config.input, log);
  if (inputs.files.empty() && inputs.missing.empty()) throw UsageError("no picture found");
  for (const auto& missing : inputs.missing) log.error(missing);
  const auto targets = plan_embeddings(inputs, config);
  const auto files = shard_of(inputs.files, config.batch.shard);
  Tagger tagger(config.tagger);
  const auto thresholds = chosen_thresholds(tagger.tags(), config.choice);
  TagRows rows(rows_layout(config), tagger.tags(), thresholds);
  TaggingTask task{files, config.max_pixels, config.tagger.batch, config.batch.jobs, {}};
  task.done = [&](size_t i, const TaggedPicture& picture) {
    const auto name = row_name(files[i]);
    const auto chosen = chosen_tags(picture.probabilities, thresholds, config.choice);
    const EmbeddingFacts facts{name, config.tagger.model, joined_tags(tagger.tags(), chosen)};
    const bool written = targets.empty() || attempt(log, {targets[i].string()}, [&] {
                           write_embedding(targets[i], picture.embeddings, facts);
                         });
    if (written) rows.write(name, picture.probabilities, chosen);
    return written;
  };
  const bool well = tag_files(program, tagger, task);
  return well && inputs.missing.empty() ? ExitStatus::ok : ExitStatus::some_failed;
}

}  // namespace sr
