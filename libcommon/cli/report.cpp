#include "cli/report.h"

#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/records.h"
#include "image/vips.h"

namespace sr {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const ReportScores& scores, const ReportHead& head) {
  if (scores.size() != head.columns.size()) {
    throw Error(
        fmt::format("{} scores do not fit {} columns of a report", scores.size(), head.columns.size()));
  }
  auto values = Json::array();
  for (const auto& score : scores) {
    // JSON has no numbers for what is not finite
    values.push_back(!score ? Json() : std::isfinite(*score) ? Json(*score) : Json(number_text(*score)));
  }
  return values;
}

Json json_of(const ReportHead& head) {
  auto columns = Json::array(), facts = Json::array();
  for (const auto& [name, higher_is_better, digits] : head.columns) {
    columns.push_back({{"name", name}, {"higher_is_better", higher_is_better}, {"digits", digits}});
  }
  for (const auto& [name, text] : head.facts) facts.push_back({printable(name), printable(text)});
  return {{"title", printable(head.title)},
          {"side_a", printable(head.side_a)},
          {"side_b", printable(head.side_b)},
          {"columns", columns},
          {"facts", facts}};
}

Json json_of(const std::vector<std::pair<std::string, ReportScores>>& summary, const ReportHead& head) {
  auto lines = Json::array();
  for (const auto& [name, scores] : summary) {
    lines.push_back({{"name", name}, {"scores", json_of(scores, head)}});
  }
  return lines;
}

/// A row as the page holds it: its scores, then its picture or its two.
std::string row_of(size_t place, const std::string& name, const Json& scores, const Tensor& a,
                   const Tensor& b) {
  const StoredPicture picture(a);
  if (b.defined() && (a.size(1) != b.size(-2) || a.size(2) != b.size(-1)))
    throw Error("a report shows pairs of one size");
  const Json row{{"place", place},
                 {"name", name},
                 {"scores", scores},
                 {"width", a.size(2)},
                 {"height", a.size(1)},
                 {"lossless", picture.lossless()},
                 {"shrunk", picture.shrunk()},
                 {"thumbnail", picture.thumbnail()}};
  auto text = json_script("class=\"row\"", row) + picture.script();
  if (b.defined()) text += StoredPicture(b).script();
  return text;
}

}  // namespace

Report::Report(const fs::path& file, ReportHead head) : head_(std::move(head)), page_(file, "report.html") {}

void Report::add(size_t index, const std::string& name, const ReportScores& scores, const Tensor& a,
                 const Tensor& b) {
  const auto shown_name = printable(name);
  page_.add(index, naming_errors(shown_name,
                                 [&] { return row_of(index, shown_name, json_of(scores, head_), a, b); }));
}

void Report::finish(const std::vector<std::pair<std::string, ReportScores>>& summary) {
  page_.finish(json_script("id=\"head\"", json_of(head_)),
               json_script("id=\"summary\"", json_of(summary, head_)));
}

}  // namespace sr
