#include "cli/metrics.h"

#include <algorithm>
#include <fmt/format.h>
#include <mutex>
#include <optional>

#include "cli/batch.h"
#include "cli/pairs.h"
#include "core/pipeline.h"
#include "core/records.h"
#include "core/stdout.h"
#include "image/decode.h"
#include "image/vips.h"
#include "infer/device.h"
#include "quality/psnr_ssim.h"

namespace sr {
namespace {

std::vector<std::string> parse_metrics(const std::string& text) {
  const auto metrics = split(text, ',');
  if (metrics.empty()) throw UsageError("-m: nothing to measure");
  for (const auto& metric : metrics) {
    if (metric != "psnr" && metric != "ssim") {
      throw UsageError(fmt::format("-m: '{}' is no metric (psnr, ssim)", metric));
    }
  }
  return metrics;
}

Protocol parse_protocol(const MetricsConfig& config) {
  Protocol protocol;
  protocol.luma = config.protocol == "sr-y";
  protocol.crop_border = config.crop >= 0 ? config.crop : protocol.luma ? config.scale : 0;
  return protocol;
}

std::string describe(const Protocol& protocol) {
  return fmt::format(
      "{}, values 0..255, crop border {}; SSIM: Gaussian window 11x11, sigma 1.5, valid region",
      protocol.luma ? "Y of YCbCr (BT.601, 16..235, not rounded; grey as it is)" : "RGB",
      protocol.crop_border);
}

/// Values 0..255 without transparency; integers exactly so.
Tensor load_values(const fs::path& path, std::int64_t max_pixels, Log& log) {
  const auto picture = open_picture(path, max_pixels);
  if (picture.alpha) log.warning(fmt::format("{}: transparency is left out of the comparison", picture.name));
  const auto values = decode(picture, {AlphaPolicy::Kind::drop}).to(at::kDouble);
  if (picture.depth == Depth::u8) return (values * 255).round();
  return picture.depth == Depth::u16 ? (values * 65535).round() / 257 : values * 255;
}

using Scores = std::vector<double>;

Scores compare(Tensor a, Tensor b, const std::vector<std::string>& metrics, const Protocol& protocol) {
  // a grey picture against a coloured one is compared as colour
  if (a.size(0) != b.size(0)) (a.size(0) == 1 ? a : b) = (a.size(0) == 1 ? a : b).expand({3, -1, -1});
  Scores scores;
  for (const auto& metric : metrics) {
    scores.push_back(metric == "psnr" ? psnr(a, b, protocol) : ssim(a, b, protocol));
  }
  return scores;
}

std::vector<Field> row_of(const std::string& name, const Scores& scores) {
  std::vector<Field> fields{name};
  fields.insert(fields.end(), scores.begin(), scores.end());
  return fields;
}

Scores mean_of(const std::vector<std::optional<Scores>>& rows, size_t columns) {
  Scores sum(columns, 0.0);
  double count = 0;
  for (const auto& row : rows) {
    if (!row) continue;
    for (size_t i = 0; i < columns; i++) sum[i] += (*row)[i];
    count++;
  }
  for (auto& value : sum) value /= count;
  return sum;
}

/// Writes rows in the order of the pairs, each as soon as those before it are there.
class OrderedRows {
 public:
  OrderedRows(RecordWriter& writer, const std::vector<Pair>& pairs)
      : writer_(writer), pairs_(pairs), scores_(pairs.size()), done_(pairs.size()) {}

  void finish(size_t i, std::optional<Scores> scores) {
    const std::lock_guard lock(mutex_);
    scores_[i] = std::move(scores);
    done_[i] = true;
    for (; next_ < pairs_.size() && done_[next_]; next_++) {
      if (scores_[next_]) writer_.write(row_of(pairs_[next_].name, *scores_[next_]));
    }
  }
  const std::vector<std::optional<Scores>>& scores() const { return scores_; }

 private:
  RecordWriter& writer_;
  const std::vector<Pair>& pairs_;
  std::mutex mutex_;
  std::vector<std::optional<Scores>> scores_;
  std::vector<bool> done_;
  size_t next_ = 0;
};

Pairs find_pairs(const MetricsConfig& config, Log& log) {
  const bool listed = !config.pairs.empty();
  if (listed && !config.sides.empty()) throw UsageError("give either two sides or --pairs");
  if (!listed && config.sides.size() != 2) throw UsageError("give two pictures or two folders, or --pairs");
  auto found =
      listed ? read_pairs(config.pairs) : pair_sides(config.sides[0], config.sides[1], config.recursive, log);
  if (found.pairs.empty() && found.unmatched.empty()) throw UsageError("no pictures to compare");
  found.pairs = shard_of(std::move(found.pairs), config.batch.shard);
  return found;
}

RecordLayout layout_of(const MetricsConfig& config, const std::vector<std::string>& metrics,
                       const Protocol& protocol) {
  std::vector<std::string> columns{"file"};
  columns.insert(columns.end(), metrics.begin(), metrics.end());
  return {columns,
          {{"protocol", describe(protocol)}},
          config.json ? RecordFormat::json : RecordFormat::tsv,
          !config.no_header};
}

}  // namespace

ExitStatus measure(Program& program, const MetricsConfig& config) {
  auto& log = program.log();
  const auto metrics = parse_metrics(config.metrics);
  const auto protocol = parse_protocol(config);
  const int threads = config.threads > 0 ? config.threads : available_processors();
  const VipsSession vips(program.info().name.c_str(), threads);
  const auto found = find_pairs(config, log);
  for (const auto& unmatched : found.unmatched) log.error(unmatched);
  RecordWriter writer(stdout, "standard output", layout_of(config, metrics, protocol));
  OrderedRows rows(writer, found.pairs);
  Stage stage([threads] { at::set_num_threads(threads); });
  Progress progress(log, program.progress(), found.pairs.size());
  for_each_in_flight(found.pairs.size(), config.batch.jobs, [&](size_t i) {
    const auto& pair = found.pairs[i];
    std::optional<Scores> scores;
    // a mistake of both, such as sizes that differ, is told by the pair's name
    const Named names{printable(pair.name), shown(pair.a, "standard input"), shown(pair.b, "standard input")};
    attempt(log, names, [&] {
      const auto a = load_values(pair.a, config.max_pixels, log);
      const auto b = load_values(pair.b, config.max_pixels, log);
      stage.run([&] { scores = compare(a, b, metrics, protocol); });
    });
    rows.finish(i, scores);
    progress.advance(1);
  });
  const auto& scores = rows.scores();
  const auto done =
      std::count_if(scores.begin(), scores.end(), [](const auto& row) { return row.has_value(); });
  if (done > 0) writer.write(row_of("mean", mean_of(scores, metrics.size())));
  const bool all = found.unmatched.empty() && static_cast<size_t>(done) == scores.size();
  return all ? ExitStatus::ok : ExitStatus::some_failed;
}

}  // namespace sr
