#pragma once
// TOML files whose values know where they stand, so that a wrong one is refused with its line.

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/files.h"

namespace sr {

/// A value of a TOML file: text, a number, a truth value, a list or a table.
class TomlValue {
 public:
  using List = std::vector<TomlValue>;
  using Table = std::vector<std::pair<std::string, TomlValue>>;  ///< by key

  /// The whole file, a table. Throws UsageError "FILE:LINE: reason".
  static TomlValue read(const fs::path& file);
  /// Of text; `name` stands for the file. A file's limits hold.
  static TomlValue parse(const std::string& text, const std::string& name);
  /// Of a text on the command line: what is wrong in it begins with `option`, which has no lines.
  static TomlValue of_option(const std::string& text, const std::string& option);

  bool is_table() const { return std::holds_alternative<Table>(value_); }
  bool is_list() const { return std::holds_alternative<List>(value_); }
  bool is_text() const { return std::holds_alternative<std::string>(value_); }

  /// The value as what it must be; refuses it where it is something else.
  const Table& table() const { return as<Table>("a table"); }
  const List& list() const { return as<List>("a list"); }
  const std::string& text() const { return as<std::string>("a text"); }
  bool flag() const { return as<bool>("true or false"); }
  double number() const;
  double number_in(double low, double high) const;  ///< both included
  std::int64_t integer_in(std::int64_t low, std::int64_t high) const;

  /// The value under `key` of a table; nullptr, or refused, where there is none.
  const TomlValue* find(const std::string& key) const;
  const TomlValue& at(const std::string& key) const;

  /// This table with the entries of `other` in place of its own; where both have a table under a key, that
  /// table's entries are overlaid one by one, down to `levels` tables deep; what is deeper is replaced as a
  /// whole.
  TomlValue overlaid(const TomlValue& other, int levels = 1) const;

  /// The table as a TOML file that reads back equal: numbers in full, tables of tables under headings.
  std::string document() const;

  /// Throws UsageError "FILE:LINE: why".
  [[noreturn]] void refuse(const std::string& why) const;

 private:
  friend class TomlReader;
  using Value = std::variant<std::string, double, bool, List, Table>;
  template <class T>
  const T& as(const char* what) const;
  std::string inline_text() const;
  void add_sections(const std::string& path, std::string& text) const;

  Value value_;
  std::string place_;  ///< "FILE:LINE"
};

/// `text` as TOML writes it, in quotes.
std::string toml_text(const std::string& text);

/// Refuses every key of `table` that is not among `known`.
void refuse_unknown_keys(const TomlValue& table, const std::vector<std::string>& known);

}  // namespace sr
