#include "core/signals.h"

#include <csignal>
#include <cstdlib>

#include "core/error.h"

namespace sr {
namespace {

volatile std::sig_atomic_t received = 0;  // a signal handler can reach nothing but a global

extern "C" void note_signal(int signal) { received = signal; }

void install(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

}  // namespace

void catch_signals() {
  install(SIGINT, note_signal);
  install(SIGTERM, note_signal);
  install(SIGPIPE, SIG_IGN);
}

int pending_signal() { return received; }

void check_interrupted() {
  if (received != 0) throw Interrupted();
}

void die_of(int signal) {
  install(signal, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  sigprocmask(SIG_UNBLOCK, &only, nullptr);
  std::raise(signal);
  std::_Exit(128 + signal);
}

}  // namespace sr
