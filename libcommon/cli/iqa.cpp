#include "cli/iqa.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/measured_picture.h"
#include "core/processor.h"
#include "image/vips.h"

namespace sr {
namespace {

std::vector<IqaMeasure> make_measures(const IqaConfig& config) {
  auto protocol = iqa_protocol(config.protocol);
  if (config.prompts.size() % 2 != 0) throw UsageError("--prompt takes two texts, a good one and a bad one");
  if (!config.prompts.empty()) protocol.prompts.clear();
  for (size_t i = 0; i < config.prompts.size(); i += 2)
    protocol.prompts.push_back({config.prompts[i], config.prompts[i + 1]});
  const auto requests = parse_measures(config.measures);
  const bool asks = std::any_of(requests.begin(), requests.end(),
                                [](const auto& request) { return request.name == "clipiqa"; });
  if (!asks && !config.prompts.empty()) throw UsageError("--prompt goes with -m clipiqa");
  WeightsSource source(config.weights);
  IqaMeasureMaker maker(protocol, source);
  std::vector<IqaMeasure> measures;
  for (const auto& request : requests) measures.push_back(maker.make(request));
  return measures;
}

ScoredFile judge_one(const Input& input, const IqaConfig& config, const std::vector<IqaMeasure>& measures,
                     Log& log) {
  const auto values = without_border(load_values(input.path, config.max_pixels, log), config.crop);
  JudgedPicture picture(values);
  Scores scores;
  for (const auto& measure : measures)
    scores.emplace_back(checked_score(measure.about, measure.score(picture)));
  return {std::move(scores), values, {}};
}

}  // namespace

ExitStatus judge(Program& program, const IqaConfig& config) {
  auto& log = program.log();
  const int threads = threads_or_all(config.scoring.threads);
  at::set_num_threads(threads);
  const VipsSession vips(program.info().name.c_str(), threads);
  auto inputs = find_inputs(config.input, log);
  if (inputs.files.empty() && inputs.missing.empty()) throw UsageError("no picture found");
  for (const auto& missing : inputs.missing) log.error(missing);
  const auto files = shard_of(std::move(inputs.files), config.scoring.batch.shard);
  const auto measures = make_measures(config);
  ScoringTask task;
  for (const auto& file : files) task.names.push_back(is_stream(file.path) ? "stdin" : file.path.string());
  task.error_names = [&](size_t i) { return Named{shown(files[i].path, "standard input")}; };
  for (const auto& measure : measures) task.measures.push_back(measure.about);
  task.facts = {{"crop_border", std::to_string(config.crop)}};
  task.score = [&](size_t i) { return judge_one(files[i], config, measures, log); };
  task.side_a = fmt::format("{}", fmt::join(config.input.names, ", "));
  const auto status = score_files(program, config.scoring, task);
  return inputs.missing.empty() ? status : ExitStatus::some_failed;
}

}  // namespace sr
