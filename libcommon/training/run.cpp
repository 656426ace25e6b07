#include "training/run.h"

#include <chrono>
#include <fmt/format.h>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/signals.h"
#include "training/checkpoint.h"
#include "training/run_log.h"

namespace sr {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kValidation = "validation";

/// What an iteration's log line says: losses, and how fast it goes.
class Pace {
 public:
  explicit Pace(int images) : images_(images) {}
  void count(const BatchSource& source) {
    iterations_++;
    waited_ = source.waited_seconds();
  }
  RunLog::Entry entry(const StepReport& report) {
    RunLog::Entry entry;
    for (const auto& [name, value] : report.losses) entry.emplace_back(name, value);
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    entry.emplace_back("rate", report.taken.rate);
    entry.emplace_back("gradient_norm", report.taken.gradient_norm);
    entry.emplace_back("images_per_second", images_ * static_cast<double>(iterations_) / seconds);
    entry.emplace_back("data_wait", (waited_ - waited_before_) / seconds);
    start_ = Clock::now();
    waited_before_ = waited_;
    iterations_ = 0;
    return entry;
  }

 private:
  int images_;
  std::int64_t iterations_ = 0;
  double waited_ = 0, waited_before_ = 0;
  Clock::time_point start_ = Clock::now();
};

class Run {
 public:
  Run(Trainable& trainer, const RunConfig& config, const std::string& settings, const RunOptions& options,
      Log& log)
      : trainer_(trainer), config_(config), settings_(settings), options_(options), log_(log) {
    begin();
  }

  void train() {
    if (done_ > 0 && due(options_.validate_every)) validate();
    if (done_ >= config_.iterations) return;
    const auto* group = options_.group;
    BatchSource source(config_.data, done_, group ? group->rank() : 0, group ? group->count() : 1);
    Progress progress(log_, writes() ? options_.progress : ProgressMode::never,
                      static_cast<size_t>(config_.iterations - done_));
    Pace pace(config_.data.batch);
    const PatientSignals patient;
    try {
      while (done_ < config_.iterations) {
        check_interrupted();
        iterate(source, pace);
        progress.advance(1);
      }
    } catch (const Interrupted&) {
      save();
      throw;
    }
    if (options_.group != nullptr) options_.group->barrier();
  }

 private:
  bool writes() const { return options_.group == nullptr || options_.group->rank() == 0; }

  void begin() {
    const auto newest = newest_checkpoint(options_.folder);
    if (newest && !options_.resume) {
      throw UsageError(fmt::format("{}: there is a run already; --resume goes on with it",
                                   printable(options_.folder.string())));
    }
    if (newest) {
      const auto state = read_training_state(*newest);
      needed_to_start([&] { return trainer_.load_state(state.tensors), 0; });
      done_ = saved_ = state.iteration;
      last_checkpoint_ = newest;
      log_.note(fmt::format("goes on after iteration {}", done_));
    }
    if (!writes()) return;
    make_folders(options_.folder);
    write_whole(options_.folder / "config.toml", [&](std::ostream& out) { out << settings_; });
    run_log_.emplace(options_.folder, done_);
  }

  void iterate(BatchSource& source, Pace& pace) {
    const auto batch = source.next();
    const auto report = stepped(batch);
    done_++;
    pace.count(source);
    if (writes() && due(config_.log_every)) run_log_->write(done_, "train", pace.entry(report));
    if (due(options_.validate_every)) validate();
    if (due(config_.checkpoint_every)) save();
  }

  /// What is done every so many iterations (0: never) is done after the last one too.
  bool due(std::int64_t every) const {
    return every > 0 && (done_ % every == 0 || done_ == config_.iterations);
  }

  StepReport stepped(const TrainingBatch& batch) {
    try {
      return trainer_.step(done_, batch);
    } catch (const UsageError&) {
      throw;
    } catch (const Error& error) {
      const auto good = last_checkpoint_ ? printable(last_checkpoint_->string()) : std::string("none yet");
      throw Error(
          fmt::format("iteration {}: {}; the last good checkpoint is {}", done_ + 1, error.what(), good));
    }
  }

  void save() {
    if (!writes() || saved_ == done_) return;
    const HeldSignals until_it_is_written;
    last_checkpoint_ = write_training_state(options_.folder, {done_, settings_, trainer_.state()},
                                            static_cast<int>(config_.keep));
    saved_ = done_;
  }

  /// Unless it has been done; by rank 0, for which the others wait.
  void validate() {
    if (writes() && !run_log_->has(done_, kValidation)) write_scores();
    if (options_.group != nullptr) options_.group->await_first();
  }

  void write_scores() {
    const auto scores = options_.validate(options_.folder / "samples" / fmt::format("{:07}", done_));
    RunLog::Entry entry;
    std::string told;
    for (const auto& [name, mean] : scores.means) {
      entry.emplace_back(name, mean);
      told += fmt::format("{}{} {:.4f}", told.empty() ? "" : ", ", name, mean);
    }
    entry.emplace_back("pictures", scores.pictures);
    run_log_->write(done_, kValidation, entry);
    log_.note(fmt::format("iteration {}: {}", done_, told));
  }

  Trainable& trainer_;
  const RunConfig& config_;
  const std::string& settings_;
  const RunOptions& options_;
  Log& log_;
  std::optional<RunLog> run_log_;
  std::optional<fs::path> last_checkpoint_;
  std::int64_t done_ = 0, saved_ = -1;
};

}  // namespace

void run_training(Trainable& trainer, const RunConfig& config, const std::string& settings,
                  const RunOptions& options, Log& log) {
  Run(trainer, config, settings, options, log).train();
}

}  // namespace sr
