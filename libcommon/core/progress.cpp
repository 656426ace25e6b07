#include "core/progress.h"

#include <algorithm>
#include <cmath>

namespace sr {
namespace {

constexpr int kBarWidth = 24;
constexpr std::chrono::milliseconds kRedrawEvery{100};

bool is_shown(const Log& log, ProgressMode mode) {
  if (mode == ProgressMode::automatic) {
    return log.verbosity() != Verbosity::quiet && stderr_is_smart_terminal();
  }
  return mode == ProgressMode::always;
}

}  // namespace

std::string clock_text(double seconds) {
  const auto total = static_cast<long>(std::lround(seconds));
  const long hours = total / 3600, minutes = total / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, total % 60);
  return fmt::format("{}:{:02}", minutes, total % 60);
}

Progress::Progress(Log& log, ProgressMode mode, size_t items)
    : log_(log), shown_(is_shown(log, mode)), items_(static_cast<double>(items)) {}

Progress::~Progress() {
  if (shown_) log_.status("");
}

void Progress::advance(double part) {
  if (!shown_) return;
  const std::lock_guard lock(mutex_);
  done_ = std::min(items_, done_ + part);
  const auto now = Clock::now();
  if (now - last_drawn_ < kRedrawEvery) return;
  last_drawn_ = now;
  log_.status(line(std::chrono::duration<double>(now - start_).count()));
}

std::string Progress::line(double seconds) const {
  const double fraction = items_ > 0 ? done_ / items_ : 1;
  const int filled = static_cast<int>(fraction * kBarWidth);
  const double rate = done_ / seconds;
  return fmt::format("[{:#<{}}{:.<{}}] {:.0f}/{:.0f}  {:3.0f}%  {:.3g}/s  ETA {}", "", filled, "",
                     kBarWidth - filled, std::floor(done_ + 1e-6), items_, 100 * fraction, rate,
                     rate > 0 ? clock_text((items_ - done_) / rate) : "-");
}

}  // namespace sr
