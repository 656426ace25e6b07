#pragma once
// SIGINT, SIGTERM, SIGHUP and SIGPIPE: work stops at the next safe point, temporaries are removed, and the
// program then dies of that very signal, so that shells and make see 128+N.

#include <string>

namespace sr {

/// From here on SIGINT, SIGTERM and SIGHUP only leave a note (unless they were ignored before), and SIGPIPE
/// and SIGXFSZ become write errors. Who has not stopped within a few seconds, or is told twice, dies without
/// unwinding (it may be waiting for a pipe); registered temporaries are removed all the same.
void catch_signals();

/// While one lives, a signal waits as long as it takes for what must be finished first (a training step and
/// its checkpoint); a second signal still ends the process at once.
class PatientSignals {
 public:
  PatientSignals();
  ~PatientSignals();
  PatientSignals(const PatientSignals&) = delete;
  PatientSignals& operator=(const PatientSignals&) = delete;
};

/// While one lives, check_interrupted throws nothing: for the checkpoint that a signal asks for.
class HeldSignals {
 public:
  HeldSignals();
  ~HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
};

/// The signal that came, or 0.
int pending_signal();

/// Throws Interrupted if a signal came. Called between tiles, rows and files.
void check_interrupted();

/// Ends the process by that signal's default action.
[[noreturn]] void die_of(int signal);

/// A file that must not outlive the process, whichever way a signal ends it.
class TemporaryPath {
 public:
  explicit TemporaryPath(const std::string& path);
  ~TemporaryPath();
  TemporaryPath(const TemporaryPath&) = delete;
  TemporaryPath& operator=(const TemporaryPath&) = delete;

 private:
  std::string path_;
};

}  // namespace sr
