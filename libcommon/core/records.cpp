#include "core/records.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/stdout.h"

namespace sr {
namespace {

std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

struct PlainText {
  std::string operator()(const std::string& text) const { return tsv_escape(text); }
  std::string operator()(double value) const { return number_text(value); }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::monostate) const { return {}; }
};

struct JsonText : PlainText {
  using PlainText::operator();
  std::string operator()(const std::string& text) const { return json_text(text); }
  std::string operator()(double value) const {
    return std::isfinite(value) ? number_text(value) : json_text(number_text(value));
  }
  std::string operator()(std::monostate) const { return "null"; }
};

}  // namespace

std::string json_object(std::span<const NamedField> fields) {
  std::string object;
  for (const auto& [name, field] : fields) {
    object +=
        fmt::format("{}{}:{}", object.empty() ? "{" : ",", json_text(name), std::visit(JsonText{}, field));
  }
  return object.empty() ? "{}" : object + "}";
}

RecordWriter::RecordWriter(std::FILE* out, std::string name, RecordLayout layout)
    : out_(out), name_(std::move(name)), layout_(std::move(layout)) {
  if (layout_.format == RecordFormat::json) return;
  std::string start;
  for (const auto& [fact, text] : layout_.facts) start += fmt::format("# {}: {}\n", fact, tsv_escape(text));
  if (layout_.header) {
    const std::vector<Field> names(layout_.columns.begin(), layout_.columns.end());
    start += tsv_line(names);
  }
  write_text(out_, name_, start);
}

void RecordWriter::write(std::span<const Field> fields) {
  if (fields.size() != layout_.columns.size()) {
    throw Error(
        fmt::format("a record of {} fields does not fit {} columns", fields.size(), layout_.columns.size()));
  }
  write_text(out_, name_, layout_.format == RecordFormat::json ? json_line(fields) : tsv_line(fields));
}

std::string RecordWriter::tsv_line(std::span<const Field> fields) const {
  std::string line;
  for (const Field& field : fields) {
    if (&field != &fields.front()) line += '\t';
    line += std::visit(PlainText{}, field);
  }
  return line + '\n';
}

std::string RecordWriter::json_line(std::span<const Field> fields) const {
  std::vector<NamedField> named;
  for (std::size_t i = 0; i < fields.size(); ++i) named.emplace_back(layout_.columns[i], fields[i]);
  named.insert(named.end(), layout_.facts.begin(), layout_.facts.end());
  return json_object(named) + "\n";
}

void write_text(std::FILE* out, const std::string& name, const std::string& text) {
  errno = 0;
  const bool written = std::fwrite(text.data(), 1, text.size(), out) == text.size() && std::fflush(out) == 0;
  if (written) return;
  const int reason = errno != 0 ? errno : EIO;
  if (reason == EPIPE) throw BrokenPipe();
  throw Error(fmt::format("{}: {}", name, std::strerror(reason)));
}

std::string number_text(double value) {
  if (std::isnan(value)) return "nan";  // to_chars would print its sign
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return std::string(digits.data(), end);
}

double short_number(float value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  double number = value;
  std::from_chars(digits.data(), end, number);
  return number;
}

std::string tsv_escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '\t': escaped += "\\t"; break;
      case '\n': escaped += "\\n"; break;
      case '\r': escaped += "\\r"; break;
      case '\\': escaped += "\\\\"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

std::string tsv_unescape(std::string_view text) {
  static constexpr std::string_view codes = "tnr\\", meanings = "\t\n\r\\";
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t code = text[i] == '\\' && i + 1 < text.size() ? codes.find(text[i + 1]) : codes.npos;
    if (code == codes.npos) {
      plain += text[i];
    } else {
      plain += meanings[code];
      ++i;
    }
  }
  return plain;
}

bool is_comment(std::string_view line) { return line.starts_with('#') && line.find('\t') == line.npos; }

std::vector<std::string> tsv_fields(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  std::vector<std::string> fields;
  for (;;) {
    const std::size_t tab = line.find('\t');
    fields.push_back(tsv_unescape(line.substr(0, tab)));
    if (tab == line.npos) return fields;
    line.remove_prefix(tab + 1);
  }
}

}  // namespace sr
