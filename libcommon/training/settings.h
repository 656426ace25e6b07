#pragma once
// Reading a table of settings entry by entry.

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/toml.h"

namespace sr {

/// A table, or none, whose entries are asked for by name, each with what holds where it isn't there. `done`
/// refuses what nobody asked for. Values that can't be are refused with their line.
class Settings {
 public:
  explicit Settings(const TomlValue* table) : table_(table) {
    if (table_ != nullptr) table_->table();
  }

  bool there() const { return table_ != nullptr; }
  bool has(const std::string& key) { return find(key) != nullptr; }
  double number(const std::string& key, double otherwise, double low = 0,
                double high = std::numeric_limits<double>::infinity());
  std::int64_t integer(const std::string& key, std::int64_t otherwise, std::int64_t low = 0,
                       std::int64_t high = 1'000'000'000);
  bool flag(const std::string& key, bool otherwise);
  std::string text(const std::string& key, const std::string& otherwise);
  /// A text, or a list of them.
  std::vector<std::string> texts(const std::string& key, const std::vector<std::string>& otherwise = {});
  std::vector<double> numbers(const std::string& key, const std::vector<double>& otherwise = {});
  std::vector<std::int64_t> integers(const std::string& key, const std::vector<std::int64_t>& otherwise = {});
  /// The value that goes by the entry's text.
  template <class T>
  T choice(const std::string& key, T otherwise, const std::vector<std::pair<std::string, T>>& choices);
  /// A table below this one, which may be missing.
  Settings table(const std::string& key) { return Settings(find(key)); }
  /// A list of tables.
  std::vector<Settings> tables(const std::string& key);

  /// Refuses entries that were not asked for.
  void done() const;
  /// Refuses the entry, or the table where it isn't there.
  [[noreturn]] void refuse(const std::string& key, const std::string& why) const;

 private:
  const TomlValue* find(const std::string& key);
  [[noreturn]] void refuse_choice(const std::string& key, const std::vector<std::string>& names) const;

  const TomlValue* table_;
  std::vector<std::string> asked_;
};

template <class T>
T Settings::choice(const std::string& key, T otherwise,
                   const std::vector<std::pair<std::string, T>>& choices) {
  const auto* value = find(key);
  if (value == nullptr) return otherwise;
  std::vector<std::string> names;
  for (const auto& [name, choice] : choices) {
    if (value->text() == name) return choice;
    names.push_back(name);
  }
  refuse_choice(key, names);
}

}  // namespace sr
