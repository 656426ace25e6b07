#pragma once
// Results as programs read them: TSV with a header line, or one JSON object a line.
//
// TSV: fields are printed as they are but for tab, newline, carriage return and backslash, which become \t,
// \n, \r and \\, so that a record stays a line. JSON: text that is not UTF-8 has its bad bytes replaced by
// U+FFFD. Numbers print in the shortest form that reads back equal; what is not finite prints as inf, -inf
// and nan (in JSON as strings, which it has no numbers for). A field without a value is empty, null in JSON.

#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sr {

enum class RecordFormat { tsv, json };

using Field = std::variant<std::string, double, std::int64_t, bool, std::monostate>;

using NamedField = std::pair<std::string, Field>;

/// A JSON object on one line, without its end.
std::string json_object(std::span<const NamedField> fields);

struct RecordLayout {
  std::vector<std::string> columns;
  /// What holds for all records, such as {"protocol", "Y, crop 4"}: comment lines `# protocol: Y, crop 4`
  /// before the header in TSV, fields after the columns in every object of JSON.
  std::vector<std::pair<std::string, std::string>> facts;
  RecordFormat format = RecordFormat::tsv;
  bool header = true;  ///< TSV: false leaves out the header line (the facts stay)
};

/// Writes records to a stream, each flushed, so that a pipeline sees it at once. Writing to a full disk or a
/// closed output throws Error with the stream's `name` and the system's reason; BrokenPipe where the reader
/// has gone.
class RecordWriter {
 public:
  /// `out` stays open and must outlive the writer. Facts and header are written here.
  RecordWriter(std::FILE* out, std::string name, RecordLayout layout);

  /// One field a column, in their order; Error where the number differs.
  void write(std::span<const Field> fields);
  void write(std::initializer_list<Field> fields) { write(std::span(fields.begin(), fields.size())); }

 private:
  std::string tsv_line(std::span<const Field> fields) const;
  std::string json_line(std::span<const Field> fields) const;

  std::FILE* out_;
  std::string name_;
  RecordLayout layout_;
};

/// Writes and flushes. Throws as RecordWriter does.
void write_text(std::FILE* out, const std::string& name, const std::string& text);

/// A float32 number as a double that prints with the float's digits, and reads back as it.
double short_number(float value);

/// The shortest decimal form that reads back equal; "inf", "-inf" or "nan".
std::string number_text(double value);

std::string tsv_escape(std::string_view text);
/// The inverse of tsv_escape; a backslash before any other character stays.
std::string tsv_unescape(std::string_view text);

/// True for a line that tells a fact, or is a comment: it begins with `#` and has no tab, since a file's name
/// may begin with `#` too.
bool is_comment(std::string_view line);

/// The fields of one line of TSV, unescaped. The line ends at its newline (or carriage return and newline).
std::vector<std::string> tsv_fields(std::string_view line);

}  // namespace sr
