#pragma once
// What sr-metrics votes does: counts what readers of a study's page chose.

#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/program.h"

namespace sr {

struct VotesConfig {
  std::vector<std::string> files;  ///< TSV that the page saved; "-": standard input
  TableOptions table;
};

/// `sr-metrics votes`, with its options, which fill `config`.
std::unique_ptr<Program> votes_program(VotesConfig& config);

/// Prints a row a method that was shown: votes, and their share of all in percent, the most chosen first. Who
/// has a name or a number has one vote a picture, the last one. Throws UsageError that names the line of what
/// is no vote.
ExitStatus count_votes(Program& program, const VotesConfig& config);

}  // namespace sr
