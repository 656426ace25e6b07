#pragma once
// A progress bar with rate and remaining time.

#include <chrono>
#include <mutex>

#include "core/log.h"

namespace sr {

enum class ProgressMode { automatic, always, never };

/// Counts items, whole or in parts, and shows a bar through the log's status line: on a smart terminal, or
/// always, or never. Safe from several threads.
class Progress {
 public:
  Progress(Log& log, ProgressMode mode, size_t items);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `part` of an item is done (1 = a whole one).
  void advance(double part);

 private:
  using Clock = std::chrono::steady_clock;
  std::string line(double seconds) const;

  Log& log_;
  bool shown_;
  double items_;
  double done_ = 0;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_drawn_ = start_;
  std::mutex mutex_;
};

/// "0:07", "12:34", "1:02:03".
std::string clock_text(double seconds);

}  // namespace sr
