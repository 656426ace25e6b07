#include "core/signals.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <unistd.h>

#include "core/error.h"

namespace sr {
namespace {

constexpr unsigned kGraceSeconds = 3;

// A signal handler can reach nothing but globals, and it may run on any thread.
std::atomic<int> received = 0, patient = 0, held = 0;
static_assert(std::atomic<int>::is_always_lock_free, "or a handler couldn't touch them");
std::array<std::atomic<const char*>, 512> temporaries{};

void install(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

/// Only what is allowed in a signal handler.
extern "C" void die_at_once(int) {
  for (const auto& path : temporaries) {
    if (const char* name = path.load()) ::unlink(name);
  }
  die_of(received);
}

extern "C" void note_signal(int signal) {
  const bool again = received != 0;
  received = signal;
  if (again) die_at_once(signal);
  if (patient == 0) ::alarm(kGraceSeconds);
}

}  // namespace

void catch_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (!is_ignored(signal)) install(signal, note_signal);
  }
  install(SIGALRM, die_at_once);
  install(SIGPIPE, SIG_IGN);
  install(SIGXFSZ, SIG_IGN);
}

PatientSignals::PatientSignals() { patient = 1; }

PatientSignals::~PatientSignals() {
  patient = 0;
  if (received != 0) ::alarm(kGraceSeconds);  // the rest has the usual time
}

HeldSignals::HeldSignals() { ++held; }

HeldSignals::~HeldSignals() { --held; }

int pending_signal() { return received; }

void check_interrupted() {
  if (received != 0 && held == 0) throw Interrupted();
}

void die_of(int signal) {
  install(signal, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  ::kill(::getpid(), signal);
  std::_Exit(128 + signal);
}

TemporaryPath::TemporaryPath(const std::string& path) : path_(path) {
  for (auto& slot : temporaries) {
    const char* empty = nullptr;
    if (slot.compare_exchange_strong(empty, path_.c_str())) return;
  }
}

TemporaryPath::~TemporaryPath() {
  const auto slot = std::find_if(temporaries.begin(), temporaries.end(),
                                 [this](const auto& name) { return name.load() == path_.c_str(); });
  if (slot != temporaries.end()) slot->store(nullptr);
}

}  // namespace sr
