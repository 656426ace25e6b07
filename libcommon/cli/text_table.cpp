#include "cli/text_table.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "core/records.h"

namespace sr {
namespace {

struct QuotedFields {
  std::vector<std::string> fields;
  bool open = false;  ///< the last one's quote doesn't end
};

/// "3,5" -> "3.5"; what is no such number stays.
std::string with_decimal_point(const std::string& field) {
  std::string number = field;
  const auto comma = number.find(',');
  if (comma == number.npos) return field;
  number[comma] = '.';
  return parse_real(number) ? number : field;
}

/// Fields between commas or semicolons; quotes may enclose one, and are doubled inside.
QuotedFields csv_fields(std::string_view line, char separator) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == separator && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  for (auto& field : fields) {
    field = std::string(trimmed(field));
    if (separator == ';') field = with_decimal_point(field);
  }
  return {std::move(fields), quoted};
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream words(line);
  std::vector<std::string> fields;
  for (std::string word; words >> word;) fields.push_back(word);
  return fields;
}

std::size_t numbers_in(const std::vector<std::string>& fields) {
  const auto is_number = [](const std::string& field) { return parse_real(field).has_value(); };
  return static_cast<std::size_t>(std::count_if(fields.begin(), fields.end(), is_number));
}

/// Equal letters, capitals or not.
bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = text.find_first_not_of(kBlank);
  return first == text.npos ? std::string_view()
                            : text.substr(first, text.find_last_not_of(kBlank) + 1 - first);
}

std::optional<double> parse_real(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  const bool whole = result.ec == std::errc{} && result.ptr == end && !text.empty();
  return whole ? std::optional(value) : std::nullopt;
}

std::vector<TextLine> lines_of(const std::string& text) {
  std::vector<TextLine> lines;
  std::size_t number = 0;
  for (auto line : split(text, '\n')) {
    number++;
    if (line.ends_with('\r')) line.pop_back();
    if (!trimmed(line).empty()) lines.push_back({number, std::move(line)});
  }
  return lines;
}

char separator_of(std::span<const TextLine> lines) {
  const auto& first = lines.front().text;
  const auto in_first = [&](char c) { return first.find(c) != first.npos; };
  if (in_first('\t')) return '\t';
  // names may have semicolons, and numbers between semicolons commas
  const auto parts_numbers = [](const TextLine& line) {
    const auto fields = csv_fields(line.text, ';').fields;
    return fields.size() > 1 && numbers_in(fields) > 0;
  };
  const auto top = lines.first(std::min<std::size_t>(lines.size(), 2));
  if (in_first(';') && std::any_of(top.begin(), top.end(), parts_numbers)) return ';';
  return in_first(',') ? ',' : ' ';
}

std::vector<std::string> fields_of(const TextLine& line, char separator, const std::string& file) {
  if (separator == '\t') return tsv_fields(line.text);
  if (separator == ' ') return words_of(line.text);
  auto found = csv_fields(line.text, separator);
  if (found.open) {
    throw UsageError(fmt::format(
        "{}:{}: a quoted field doesn't end in its line (those of several are not read)", file, line.number));
  }
  return std::move(found.fields);
}

TextTable parse_table(const std::string& text, const std::string& file) {
  TextTable table;
  const auto lines = lines_of(text);
  if (lines.empty()) return table;
  const char separator = separator_of(lines);
  for (const auto& line : lines) {
    table.rows.push_back(fields_of(line, separator, file));
    table.lines.push_back(line.number);
  }
  const bool header =
      table.rows.size() > 1 && numbers_in(table.rows[0]) == 0 && numbers_in(table.rows[1]) > 0;
  if (header) {
    table.header = std::move(table.rows[0]);
    table.rows.erase(table.rows.begin());
    table.lines.erase(table.lines.begin());
  }
  return table;
}

std::optional<std::size_t> column_called(const std::vector<std::string>& header, std::string_view name) {
  for (const bool exactly : {true, false}) {
    for (std::size_t i = 0; i < header.size(); ++i) {
      if (exactly ? header[i] == name : same_word(header[i], name)) return i;
    }
  }
  return std::nullopt;
}

}  // namespace sr
