#pragma once
// Tables of text as people keep them: lines of fields between tabs, commas, semicolons or blanks.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sr {

/// A line of a table, without its end.
struct TextLine {
  std::size_t number = 0;  ///< from 1 on
  std::string text;
};

/// All that are not blank.
std::vector<TextLine> lines_of(const std::string& text);

/// What parts the fields of a table that begins with these lines: a tab, ';' (where that leaves a number in
/// one of the first two), ',' or a blank, whichever the first line has.
char separator_of(std::span<const TextLine> lines);

/// A line's fields; those between commas and semicolons may be quoted, and between semicolons numbers have
/// their decimal comma made a point. Throws UsageError where a quoted field doesn't end in its line.
std::vector<std::string> fields_of(const TextLine& line, char separator, const std::string& file);

/// A table with its lines' fields.
struct TextTable {
  std::vector<std::string> header;  ///< empty: there is none
  std::vector<std::vector<std::string>> rows;
  std::vector<std::size_t> lines;  ///< of each row in the file
};

/// The first line is a header where the second one has numbers and it has none. Throws UsageError as
/// `fields_of` does.
TextTable parse_table(const std::string& text, const std::string& file);

/// The column of a header that has this name; else, capitals or not.
std::optional<std::size_t> column_called(const std::vector<std::string>& header, std::string_view name);

/// Without the blanks around it.
std::string_view trimmed(std::string_view text);

/// The whole text as a number, inf and nan included; blanks around it don't count.
std::optional<double> parse_real(std::string_view text);

}  // namespace sr
