#pragma once
// What measures have in common, with a reference or without: their names on the command line and in tables.

#include <string>
#include <utility>
#include <vector>

#include "cli/score_table.h"
#include "core/error.h"

namespace sr {

/// A column of scores.
struct Measure {
  std::string name;
  bool higher_is_better;
  int digits;            ///< after the point, where scores are rounded
  std::string protocol;  ///< one line: colour space, range, border, window, version of the network
};

/// What the command line asks for: NAME or NAME=WEIGHTS.
struct MeasureRequest {
  std::string name;
  std::string weights;  ///< a file, or a name of the catalogue; empty: the measure's own
};

/// "psnr,lpips=lin.pth" in its order. Throws UsageError where there is none, or a name comes twice.
std::vector<MeasureRequest> parse_measures(const std::string& list);

/// What `make` answers; its Error becomes a UsageError that names the measure: nothing can start without it.
template <class Make>
auto made_for(const MeasureRequest& request, const Make& make) {
  try {
    return make();
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw UsageError("-m " + request.name + ": " + error.what());
  }
}

std::vector<ScoreColumn> score_columns(const std::vector<Measure>& measures);

/// A fact NAME_protocol for each.
std::vector<std::pair<std::string, std::string>> protocol_facts(const std::vector<Measure>& measures);

/// The measure's score, if it is a number; Error otherwise: a table never holds what only looks like a
/// result.
double checked_score(const Measure& measure, double score);

}  // namespace sr
