#include "cli/score_file.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/inputs.h"
#include "cli/text_table.h"

namespace sr {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

/// Fields as they stand, the picture's name first.
struct Fields {
  Row header;
  std::vector<Row> rows;
  std::set<std::size_t> labels;  ///< columns that are none of scores, even where they look so
};

bool is_number(const std::string& field) { return parse_real(field).has_value(); }

// --- JSON lines ----------------------------------------------------------------------------------

bool is_score(const Json& value) {
  return value.is_number() || value.is_null() || value == "inf" || value == "-inf" || value == "nan";
}

std::string text_of(const Json& value) {
  if (value.is_null()) return {};
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// The place of `key`, which is added where it is new.
std::size_t column_of(Row& header, const std::string& key) {
  const auto found = std::find(header.begin(), header.end(), key);
  const auto column = static_cast<std::size_t>(found - header.begin());
  if (found == header.end()) header.push_back(key);
  return column;
}

Fields parse_json_lines(const std::vector<TextLine>& lines, const std::string& file) {
  Fields fields{{"file"}, {}, {}};
  for (const auto& line : lines) {
    const auto object = Json::parse(line.text, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) throw UsageError(fmt::format("{}:{}: not a JSON object", file, line.number));
    const auto name = object.find("file");
    if (name == object.end() || !name->is_string())
      throw UsageError(
          fmt::format("{}:{}: the key 'file' with a picture's name is missing", file, line.number));
    if (*name == "mean" || *name == "std") continue;
    auto& row = fields.rows.emplace_back();
    for (const auto& item : object.items()) {
      if (item.value().is_structured()) {  // which could be nested without end
        throw UsageError(fmt::format("{}:{}: '{}' is neither a score nor a text", file, line.number,
                                     printable(item.key())));
      }
      const auto column = column_of(fields.header, item.key());
      row.resize(fields.header.size());
      row[column] = text_of(item.value());
      if (!is_score(item.value())) fields.labels.insert(column);
    }
  }
  for (auto& row : fields.rows) row.resize(fields.header.size());
  return fields;
}

// --- tables of text ------------------------------------------------------------------------------

/// Leaves out the rows below the pictures of a table that begins at row `begin`.
void drop_summary(std::vector<Row>& rows, std::size_t begin) {
  const auto ends_with = [&](std::size_t from_end, const char* name) {
    return rows.size() >= begin + from_end && rows[rows.size() - from_end][0] == name;
  };
  if (ends_with(1, "std") && ends_with(2, "mean")) rows.pop_back();
  if (ends_with(1, "mean")) rows.pop_back();
}

void check_row(const Row& row, const Row& header, const TextLine& line, const std::string& file) {
  if (row.size() != header.size()) {
    throw UsageError(
        fmt::format("{}:{}: {} fields instead of {}", file, line.number, row.size(), header.size()));
  }
  const auto is_name = [](const std::string& field) { return !field.empty() && !is_number(field); };
  if (row[0] == header[0] && std::all_of(row.begin(), row.end(), is_name))
    throw UsageError(fmt::format("{}:{}: its columns are not those of the first table", file, line.number));
}

Fields parse_tables(const std::vector<TextLine>& lines, const std::string& file) {
  const auto is_comment = [](const TextLine& line) { return line.text[0] == '#'; };
  auto line = std::find_if_not(lines.begin(), lines.end(), is_comment);
  if (line == lines.end()) return {};
  const char separator = separator_of({line, lines.end()});
  Fields fields{fields_of(*line, separator, file), {}, {}};
  const auto& header = fields.header;
  if (std::any_of(header.begin(), header.end(), is_number)) {
    throw UsageError(
        fmt::format("{}: its header line is missing (file, then the names of the measures)", file));
  }
  std::size_t begin = 0;  // of the table's rows
  while (++line != lines.end()) {
    auto row = fields_of(*line, separator, file);
    // facts have no tabs; names may begin with # too
    if (row == header || (is_comment(*line) && row.size() != header.size())) {
      drop_summary(fields.rows, begin);
      begin = fields.rows.size();
      continue;
    }
    check_row(row, header, *line, file);
    fields.rows.push_back(std::move(row));
  }
  drop_summary(fields.rows, begin);
  return fields;
}

// --- both ----------------------------------------------------------------------------------------

Fields read_fields(const std::string& path, const std::string& file) {
  const auto lines = lines_of(read_named_file(path));
  const bool json = !lines.empty() && lines[0].text[lines[0].text.find_first_not_of(" \t")] == '{';
  auto fields = json ? parse_json_lines(lines, file) : parse_tables(lines, file);
  if (fields.rows.empty()) throw UsageError(fmt::format("{}: there are no rows in it", file));
  return fields;
}

/// Nothing where a field is neither a number nor empty, or all are empty.
std::optional<std::vector<std::optional<double>>> numbers_of(const std::vector<std::string>& texts) {
  std::vector<std::optional<double>> numbers;
  for (const auto& text : texts) {
    numbers.push_back(parse_real(text));
    if (!numbers.back() && !text.empty()) return std::nullopt;
  }
  const bool any = std::any_of(numbers.begin(), numbers.end(), [](const auto& n) { return n.has_value(); });
  return any ? std::optional(numbers) : std::nullopt;
}

}  // namespace

ScoreFile read_score_file(const std::string& path) {
  const std::string file = shown(path, "standard input");
  const auto fields = read_fields(path, file);
  ScoreFile scores;
  for (const auto& row : fields.rows) scores.names.push_back(row[0]);
  for (std::size_t c = 1; c < fields.header.size(); ++c) {
    std::vector<std::string> texts;
    for (const auto& row : fields.rows) texts.push_back(row[c]);
    auto numbers = fields.labels.count(c) == 0 ? numbers_of(texts) : std::nullopt;
    if (numbers) {
      scores.measures.emplace_back(fields.header[c], std::move(*numbers));
    } else {
      scores.labels.emplace(fields.header[c], std::move(texts));
    }
  }
  if (scores.measures.empty()) throw UsageError(fmt::format("{}: no column of it holds scores", file));
  return scores;
}

}  // namespace sr
