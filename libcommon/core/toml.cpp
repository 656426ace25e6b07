#include "core/toml.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include "core/error.h"
#include "core/records.h"

namespace sr {

/// Turns toml++'s tree into ours.
class TomlReader {
 public:
  explicit TomlReader(std::string name, bool has_lines = true)
      : file_(std::move(name)), has_lines_(has_lines) {}

  TomlValue read(const std::string& text) const {
    try {
      return converted(toml::parse(text, file_));
    } catch (const toml::parse_error& error) {
      throw UsageError(fmt::format("{}: {}", place(error.source()), error.description()));
    }
  }

 private:
  std::string place(const toml::source_region& source) const {
    return has_lines_ ? fmt::format("{}:{}", file_, source.begin.line) : file_;
  }

  TomlValue converted(const toml::node& node, int depth = 0) const {
    constexpr int kDeepest = 64;
    TomlValue result;
    result.place_ = place(node.source());
    if (depth == kDeepest) result.refuse("tables within tables, too deep");
    if (const auto* table = node.as_table()) {
      TomlValue::Table entries;
      for (const auto& [key, value] : *table)
        entries.emplace_back(std::string(key.str()), converted(value, depth + 1));
      result.value_ = std::move(entries);
    } else if (const auto* list = node.as_array()) {
      TomlValue::List items;
      for (const auto& item : *list) items.push_back(converted(item, depth + 1));
      result.value_ = std::move(items);
    } else if (const auto text = node.value_exact<std::string>()) {
      result.value_ = *text;
    } else if (const auto flag = node.value_exact<bool>()) {
      result.value_ = *flag;
    } else if (const auto number = node.value<double>(); number && node.is_number()) {
      result.value_ = *number;
    } else {
      result.refuse("dates and times have no use here");
    }
    return result;
  }

  std::string file_;
  bool has_lines_;
};

namespace {

void check_size(const std::string& text, const std::string& name) {
  constexpr size_t kLargest = 65536;  // dotted keys nest as deep as they are long, and are freed recursively
  if (text.size() > kLargest) throw UsageError(fmt::format("{}: too large for settings", name));
}

}  // namespace

TomlValue TomlValue::read(const fs::path& file) {
  const auto name = printable(file.string());
  return needed_to_start([&] { return parse(read_file(file), name); });
}

TomlValue TomlValue::parse(const std::string& text, const std::string& name) {
  check_size(text, name);
  return TomlReader(name).read(text);
}

TomlValue TomlValue::of_option(const std::string& text, const std::string& option) {
  check_size(text, option);
  return TomlReader(option, /*has_lines=*/false).read(text);
}

void TomlValue::refuse(const std::string& why) const { throw UsageError(fmt::format("{}: {}", place_, why)); }

template <class T>
const T& TomlValue::as(const char* what) const {
  if (const auto* value = std::get_if<T>(&value_)) return *value;
  refuse(fmt::format("{} is wanted here", what));
}

template const TomlValue::Table& TomlValue::as(const char*) const;
template const TomlValue::List& TomlValue::as(const char*) const;
template const std::string& TomlValue::as(const char*) const;
template const bool& TomlValue::as(const char*) const;

double TomlValue::number() const {
  const double value = as<double>("a number");
  if (!std::isfinite(value)) refuse("a finite number is wanted here");
  return value;
}

double TomlValue::number_in(double low, double high) const {
  const double value = number();
  if (value >= low && value <= high) return value;
  if (std::isinf(high)) refuse(fmt::format("{} is less than {}", number_text(value), number_text(low)));
  refuse(fmt::format("{} is not between {} and {}", number_text(value), number_text(low), number_text(high)));
}

std::int64_t TomlValue::integer_in(std::int64_t low, std::int64_t high) const {
  const double value = number_in(static_cast<double>(low), static_cast<double>(high));
  if (value != std::floor(value)) refuse(fmt::format("{} is no whole number", number_text(value)));
  return static_cast<std::int64_t>(value);
}

const TomlValue* TomlValue::find(const std::string& key) const {
  for (const auto& [name, value] : table()) {
    if (name == key) return &value;
  }
  return nullptr;
}

const TomlValue& TomlValue::at(const std::string& key) const {
  if (const auto* value = find(key)) return *value;
  refuse(fmt::format("'{}' is missing here", key));
}

TomlValue TomlValue::overlaid(const TomlValue& other, int levels) const {
  auto entries = table();
  for (const auto& [key, value] : other.table()) {
    const auto below =
        std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.first == key; });
    if (below == entries.end()) {
      entries.emplace_back(key, value);
    } else {
      const bool both = levels > 0 && below->second.is_table() && value.is_table();
      below->second = both ? below->second.overlaid(value, levels - 1) : value;
    }
  }
  TomlValue result;
  result.place_ = other.place_;
  result.value_ = std::move(entries);
  return result;
}

std::string toml_text(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\u{:04X}", byte);
    } else {
      result += c;
    }
  }
  return result + '"';
}

namespace {

std::string key_text(const std::string& key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  });
  return bare ? key : toml_text(key);
}

}  // namespace

std::string TomlValue::inline_text() const {
  if (is_text()) return toml_text(text());
  if (const auto* number = std::get_if<double>(&value_)) return number_text(*number);
  if (const auto* truth = std::get_if<bool>(&value_)) return *truth ? "true" : "false";
  std::vector<std::string> parts;
  if (is_list()) {
    for (const auto& item : list()) parts.push_back(item.inline_text());
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }
  for (const auto& [key, value] : table())
    parts.push_back(fmt::format("{} = {}", key_text(key), value.inline_text()));
  return parts.empty() ? "{}" : fmt::format("{{ {} }}", fmt::join(parts, ", "));
}

void TomlValue::add_sections(const std::string& path, std::string& text) const {
  for (const auto& [key, value] : table()) {
    if (!value.is_table()) text += fmt::format("{} = {}\n", key_text(key), value.inline_text());
  }
  for (const auto& [key, value] : table()) {
    if (!value.is_table()) continue;
    const auto below = path.empty() ? key_text(key) : fmt::format("{}.{}", path, key_text(key));
    const auto& entries = value.table();
    const bool plain = entries.empty() || std::any_of(entries.begin(), entries.end(), [](const auto& entry) {
                         return !entry.second.is_table();
                       });
    if (plain) text += fmt::format("\n[{}]\n", below);
    value.add_sections(below, text);
  }
}

std::string TomlValue::document() const {
  std::string text;
  add_sections("", text);
  return text;
}

void refuse_unknown_keys(const TomlValue& table, const std::vector<std::string>& known) {
  for (const auto& [key, value] : table.table()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      value.refuse(fmt::format("'{}' is not known here (known: {})", key, fmt::join(known, ", ")));
    }
  }
}

}  // namespace sr
