#include "cli/fid_sets.h"

#include <atomic>
#include <fmt/format.h>

#include "cli/measured_picture.h"
#include "core/atomic_file.h"
#include "core/error.h"
#include "core/pipeline.h"
#include "core/processor.h"
#include "core/signals.h"
#include "image/vips.h"

namespace sr {
namespace {

bool holds_statistics(const std::string& side) { return fs::path(side).extension() == ".npz"; }

/// A side's pictures; none where it holds statistics.
std::vector<Input> pictures_of(const std::string& side, const MetricsConfig& config, Log& log) {
  if (holds_statistics(side)) return {};
  InputOptions options;
  options.names = {side};
  options.recursive = config.recursive;
  auto inputs = find_inputs(options, log);
  if (!inputs.missing.empty()) throw UsageError(inputs.missing.front());
  if (inputs.files.size() < 2)
    throw UsageError(fmt::format("{}: fid needs a folder of two pictures or more", printable(side)));
  return std::move(inputs.files);
}

/// Brings sets of pictures through the network; those that cannot be read are told.
class SetReader {
 public:
  SetReader(Program& program, const MetricsConfig& config, int threads, size_t pictures)
      : log_(program.log()),
        config_(config),
        threads_(threads),
        progress_(log_, program.progress(), pictures) {}

  FidStatistics read(const std::vector<Input>& files, const std::shared_ptr<const FidFeatures>& network) {
    FidSet set(network, files.size());
    const auto workers = share_threads(files.size(), threads_, config_.scoring.batch.jobs);
    for_each_in_flight(files.size(), workers.count, [&](size_t i) {
      at::set_num_threads(workers.threads_each);
      const at::NoGradGuard no_grad;
      const bool done = attempt(log_, {shown(files[i].path, "standard input")},
                                [&] { set.add(i, load_values(files[i].path, config_.max_pixels, log_)); });
      if (!done) failed_ = true;
      progress_.advance(1);
    });
    check_interrupted();
    return set.statistics();
  }
  bool failed() const { return failed_; }

 private:
  Log& log_;
  const MetricsConfig& config_;
  int threads_;
  Progress progress_;
  std::atomic<bool> failed_ = false;
};

void check_set_options(const MetricsConfig& config) {
  const bool kept = !config.save_stats.empty();
  if (config.sides.size() != (kept ? 1 : 2)) {
    throw UsageError(kept ? "--save-stats keeps the statistics of one folder: give one"
                          : "give two folders or .npz files of statistics");
  }
  const auto& scoring = config.scoring;
  if (scoring.stats || !scoring.report.empty() || !scoring.batch.shard.empty())
    throw UsageError("fid alone knows neither --stats nor --report nor --shard");
  if (!kept) return;
  if (is_stream(config.save_stats)) throw UsageError("--save-stats must name a file");
  if (holds_statistics(config.sides[0]))
    throw UsageError("--save-stats: statistics of pictures are kept, not of others");
  check_no_picture(config.save_stats, "what is kept", "FILE.npz");
  needed_to_start([&] { return AtomicFile(config.save_stats).path(); });  // before hours of work
}

void print_distance(const MetricsConfig& config, const Measure& fid, double distance) {
  ScoreTable table(stdout, "standard output", table_layout(config.scoring.table, {"file"}, {fid}));
  const std::string label = "mean";
  const Score score = distance;
  table.summary({&label, 1}, {&score, 1});
  table.finish();
}

}  // namespace

void FidSet::add(size_t i, const Tensor& values) { features_[i] = (*network_)(image_of(values)); }

FidStatistics FidSet::statistics() const {
  std::vector<Tensor> known;
  for (const auto& features : features_) {
    if (features.defined()) known.push_back(features);
  }
  return fid_statistics(known);
}

std::shared_ptr<const FidFeatures> make_fid_features(const MeasureRequest& request,
                                                     const MetricsConfig& config, WeightsSource& source) {
  const auto resize =
      config.fid_resize.empty() ? (config.protocol == "seesr" ? "clean" : "legacy") : config.fid_resize;
  const auto& weights = source.load(request.weights.empty() ? "inception-fid" : request.weights);
  return needed_to_start([&] {
    return std::make_shared<const FidFeatures>(weights,
                                               resize == "clean" ? FidResize::clean : FidResize::legacy);
  });
}

Measure fid_measure(const FidFeatures& network) { return {"fid", false, 2, network.describe()}; }

ExitStatus measure_sets(Program& program, const MetricsConfig& config, const MeasureRequest& request) {
  check_set_options(config);
  const int threads = threads_or_all(config.scoring.threads);
  at::set_num_threads(threads);
  const VipsSession vips(program.info().name.c_str(), threads);
  std::vector<std::vector<Input>> pictures;
  size_t count = 0;
  for (const auto& side : config.sides) {
    pictures.push_back(pictures_of(side, config, program.log()));
    count += pictures.back().size();
  }
  std::vector<FidStatistics> sides(pictures.size());
  for (size_t i = 0; i < sides.size(); i++) {
    if (pictures[i].empty()) sides[i] = needed_to_start([&] { return load_fid_statistics(config.sides[i]); });
  }
  Measure fid{"fid", false, 2, "of statistics as they were kept"};
  SetReader reader(program, config, threads, count);
  if (count > 0) {
    WeightsSource source(config.weights);
    const auto network = make_fid_features(request, config, source);
    fid = fid_measure(*network);
    for (size_t i = 0; i < sides.size(); i++) {
      if (!pictures[i].empty()) sides[i] = reader.read(pictures[i], network);
    }
  }
  if (!config.save_stats.empty()) {
    save_fid_statistics(config.save_stats, sides[0]);
  } else {
    print_distance(config, fid, frechet_distance(sides[0], sides[1]));
  }
  return reader.failed() ? ExitStatus::some_failed : ExitStatus::ok;
}

}  // namespace sr
