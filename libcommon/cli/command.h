#pragma once
// Commands of a program ("sr-iqa correlate"), each with options and a configuration of its own: `make` builds
// the command's program around its configuration, `work` does what that asks for.

#include <memory>

#include "cli/program.h"

namespace sr {

/// The command as the program that it belongs to knows it.
template <class Config>
Subcommand described(std::unique_ptr<Program> (*make)(Config&)) {
  Config config;
  return make(config)->subcommand();
}

/// Runs the command; `argv` begins with its name. Returns the exit status.
template <class Config>
int run_command(std::unique_ptr<Program> (*make)(Config&), ExitStatus (*work)(Program&, const Config&),
                int argc, char** argv) {
  Config config;
  const auto program = make(config);
  return program->run(argc, argv, [&] { return work(*program, config); });
}

}  // namespace sr
