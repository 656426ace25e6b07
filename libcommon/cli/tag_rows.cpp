#include "cli/tag_rows.h"

#include <nlohmann/json.hpp>

namespace sr {
namespace {

RecordLayout record_layout(const TagRowsLayout& layout) {
  const std::vector<std::string> columns =
      layout.scores ? std::vector<std::string>{"file", "tag", "probability", "threshold"}
                    : std::vector<std::string>{"file", "tags"};
  RecordLayout records{columns, {{"model", layout.model}}, layout.format, layout.header};
  if (!layout.header && layout.format == RecordFormat::tsv) records.facts.clear();
  return records;
}

}  // namespace

TagRows::TagRows(TagRowsLayout layout, const TagList& tags, Tensor thresholds)
    : layout_(std::move(layout)),
      tags_(tags),
      thresholds_(std::move(thresholds)),
      records_(stdout, "standard output", record_layout(layout_)) {}

void TagRows::write(const std::string& name, const Tensor& probabilities, const std::vector<size_t>& chosen) {
  if (layout_.scores) {
    write_scores(name, probabilities, chosen);
  } else if (layout_.format == RecordFormat::json) {
    write_list(name, chosen);
  } else {
    records_.write({name, joined_tags(tags_, chosen)});
  }
}

void TagRows::write_scores(const std::string& name, const Tensor& probabilities,
                           const std::vector<size_t>& chosen) {
  const auto* values = probabilities.data_ptr<float>();
  const auto* limits = thresholds_.data_ptr<float>();
  for (const size_t i : chosen)
    records_.write({name, tags_.names[i], short_number(values[i]), short_number(limits[i])});
  if (chosen.empty()) records_.write({name, std::monostate{}, std::monostate{}, std::monostate{}});
}

void TagRows::write_list(const std::string& name, const std::vector<size_t>& chosen) {
  nlohmann::ordered_json object{{"file", name}, {"tags", nlohmann::ordered_json::array()}};
  for (const size_t i : chosen) object["tags"].push_back(tags_.names[i]);
  object["model"] = layout_.model;
  constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
  write_text(stdout, "standard output", object.dump(-1, ' ', /*ensure_ascii=*/false, kReplace) + "\n");
}

}  // namespace sr
