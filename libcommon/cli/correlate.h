#pragma once
// What sr-iqa correlate does.

#include "cli/opinion_scores.h"
#include "cli/options.h"
#include "cli/program.h"

namespace sr {

struct CorrelateConfig {
  /// Scores, as sr-iqa prints them (TSV or JSON lines), and opinions; "-" for one of them: standard input.
  std::vector<std::string> files;
  OpinionOptions opinions;
  std::string by;  ///< a column of either file that holds no scores: rows for each of its values
  TableOptions table;
};

/// `sr-iqa correlate`, with its options, which fill `config`.
std::unique_ptr<Program> correlate_program(CorrelateConfig& config);

/// Prints a row for each measure (and group). Pictures are matched by the whole name, else by the name below
/// the last slash, else by that without extension; those without an opinion, or with several, are told and
/// left out, and so are scores that are not finite. Correlations that there are none of, of constant values,
/// flat curves or fewer than three points (or than a curve's parameters), are empty, with a warning.
ExitStatus correlate(Program& program, const CorrelateConfig& config);

}  // namespace sr
