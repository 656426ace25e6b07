#include "cli/metrics.h"

#include <algorithm>
#include <fmt/format.h>

#include "cli/fid_sets.h"
#include "cli/measured_picture.h"
#include "cli/pair_measures.h"
#include "cli/pairs.h"
#include "core/processor.h"
#include "image/vips.h"

namespace sr {
namespace {

Pairs find_pairs(const MetricsConfig& config, Log& log) {
  const bool listed = !config.pairs.empty();
  if (listed && !config.sides.empty()) throw UsageError("give either two sides or --pairs");
  if (!listed && config.sides.size() != 2) throw UsageError("give two pictures or two folders, or --pairs");
  auto found =
      listed ? read_pairs(config.pairs) : pair_sides(config.sides[0], config.sides[1], config.recursive, log);
  if (found.pairs.empty() && found.unmatched.empty()) throw UsageError("no pictures to compare");
  found.pairs = shard_of(std::move(found.pairs), config.scoring.batch.shard);
  return found;
}

/// What both have from the top left corner on: results of a network are larger or smaller than a reference
/// whose sides are no multiple of the scale by what is missing below and on the right.
void crop_to_common(Tensor& a, Tensor& b) {
  const auto height = std::min(a.size(1), b.size(1)), width = std::min(a.size(2), b.size(2));
  for (auto* image : {&a, &b}) *image = image->slice(1, 0, height).slice(2, 0, width);
}

/// Scores pairs in the columns asked for. FID is of all pairs together: it collects features on the way.
class PairScorer {
 public:
  PairScorer(const MetricsConfig& config, const std::vector<Pair>& pairs, Log& log)
      : config_(config), protocol_(metrics_protocol(config)), pairs_(pairs), log_(log) {
    WeightsSource source(config.weights);
    for (const auto& request : parse_measures(config.metrics)) {
      if (is_set_measure(request.name)) {
        if (pairs.size() < 2) throw UsageError("fid needs two pictures a side or more");
        const auto network = make_fid_features(request, config, source);
        sets_.assign(2, FidSet(network, pairs.size()));
        measures_.push_back({fid_measure(*network), {}});
      } else {
        measures_.push_back(make_pair_measure(request, protocol_, source));
      }
    }
  }

  std::vector<Measure> columns() const {
    std::vector<Measure> columns;
    for (const auto& measure : measures_) columns.push_back(measure.about);
    return columns;
  }

  ScoredFile score(size_t i) {
    auto a = load_values(pairs_[i].a, config_.max_pixels, log_);
    auto b = load_values(pairs_[i].b, config_.max_pixels, log_);
    if (config_.align == "crop") crop_to_common(a, b);
    PicturePair pair(a, b, protocol_);
    Scores scores;
    for (const auto& measure : measures_) {
      scores.push_back(measure.score ? Score(checked_score(measure.about, measure.score(pair))) : Score());
    }
    if (!sets_.empty()) {
      sets_[0].add(i, a);
      sets_[1].add(i, b);
    }
    return {std::move(scores), a, b};
  }

  void complete(Scores& mean) {
    if (sets_.empty()) return;
    const double fid = frechet_distance(sets_[0].statistics(), sets_[1].statistics());
    for (size_t i = 0; i < measures_.size(); i++) {
      if (!measures_[i].score) mean[i] = fid;
    }
  }

 private:
  const MetricsConfig& config_;
  Protocol protocol_;
  const std::vector<Pair>& pairs_;
  Log& log_;
  std::vector<PairMeasure> measures_;
  std::vector<FidSet> sets_;  ///< of both sides, where FID is asked for
};

ExitStatus measure_pairs(Program& program, const MetricsConfig& config) {
  auto& log = program.log();
  if (!config.save_stats.empty()) throw UsageError("--save-stats goes with -m fid and one folder");
  const int threads = threads_or_all(config.scoring.threads);
  at::set_num_threads(threads);
  const VipsSession vips(program.info().name.c_str(), threads);
  const auto found = find_pairs(config, log);
  PairScorer scorer(config, found.pairs, log);
  for (const auto& unmatched : found.unmatched) log.error(unmatched);
  ScoringTask task;
  for (const auto& pair : found.pairs) task.names.push_back(pair.name);
  // a mistake of both, such as sizes that differ, is told by the pair's name
  task.error_names = [&](size_t i) {
    const auto& pair = found.pairs[i];
    return Named{printable(pair.name), shown(pair.a, "standard input"), shown(pair.b, "standard input")};
  };
  task.measures = scorer.columns();
  task.facts = {{"protocol", config.protocol}};
  if (config.align == "crop") task.facts.emplace_back("align", "crop");
  task.score = [&](size_t i) { return scorer.score(i); };
  task.complete = [&](Scores& mean) { scorer.complete(mean); };
  task.side_a = config.pairs.empty() ? config.sides[0] : "first";
  task.side_b = config.pairs.empty() ? config.sides[1] : "second";
  const auto status = score_files(program, config.scoring, task);
  return found.unmatched.empty() ? status : ExitStatus::some_failed;
}

}  // namespace

Protocol metrics_protocol(const MetricsConfig& config) {
  auto protocol = protocol_named(config.protocol, config.scale);
  if (config.crop >= 0) protocol.crop_border = config.crop;
  return protocol;
}

ExitStatus measure(Program& program, const MetricsConfig& config) {
  const auto requests = parse_measures(config.metrics);
  const bool fid = std::any_of(requests.begin(), requests.end(),
                               [](const auto& request) { return is_set_measure(request.name); });
  if (!fid && !config.fid_resize.empty()) throw UsageError("--fid-resize goes with -m fid");
  const bool sets_alone = requests.size() == 1 && is_set_measure(requests[0].name);
  if (sets_alone && config.pairs.empty()) return measure_sets(program, config, requests[0]);
  return measure_pairs(program, config);
}

}  // namespace sr
