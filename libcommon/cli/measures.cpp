#include "cli/measures.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "core/files.h"

namespace sr {

std::vector<MeasureRequest> parse_measures(const std::string& list) {
  std::vector<MeasureRequest> requests;
  for (const auto& part : split(list, ',')) {
    const auto equals = part.find('=');
    MeasureRequest request{part.substr(0, equals), {}};
    if (equals != std::string::npos) {
      request.weights = part.substr(equals + 1);
      if (request.weights.empty()) throw UsageError(fmt::format("-m: '{}' names no weights", part));
    }
    const auto same = [&](const MeasureRequest& other) { return other.name == request.name; };
    if (std::any_of(requests.begin(), requests.end(), same))
      throw UsageError(fmt::format("-m: '{}' comes twice", request.name));
    requests.push_back(std::move(request));
  }
  if (requests.empty()) throw UsageError("-m: nothing to measure");
  return requests;
}

std::vector<ScoreColumn> score_columns(const std::vector<Measure>& measures) {
  std::vector<ScoreColumn> columns;
  for (const auto& measure : measures)
    columns.push_back({measure.name, measure.higher_is_better, measure.digits});
  return columns;
}

std::vector<std::pair<std::string, std::string>> protocol_facts(const std::vector<Measure>& measures) {
  std::vector<std::pair<std::string, std::string>> facts;
  for (const auto& measure : measures) facts.emplace_back(measure.name + "_protocol", measure.protocol);
  return facts;
}

double checked_score(const Measure& measure, double score) {
  if (std::isnan(score)) throw Error(fmt::format("{} of it is not a number", measure.name));
  return score;
}

}  // namespace sr
