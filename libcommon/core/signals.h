#pragma once
// SIGINT, SIGTERM and SIGPIPE: work stops at the next safe point, temporaries are removed, and the program
// then dies of that very signal, so that shells and make see 128+N.

namespace sr {

/// From here on SIGINT and SIGTERM only leave a note, and SIGPIPE becomes a write error.
void catch_signals();

/// The signal that came, or 0.
int pending_signal();

/// Throws Interrupted if a signal came. Called between tiles, rows and files.
void check_interrupted();

/// Ends the process by that signal's default action.
[[noreturn]] void die_of(int signal);

}  // namespace sr
