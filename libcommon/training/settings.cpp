#include "training/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace sr {

double Settings::number(const std::string& key, double otherwise, double low, double high) {
  const auto* value = find(key);
  return value == nullptr ? otherwise : value->number_in(low, high);
}

std::int64_t Settings::integer(const std::string& key, std::int64_t otherwise, std::int64_t low,
                               std::int64_t high) {
  const auto* value = find(key);
  return value == nullptr ? otherwise : value->integer_in(low, high);
}

bool Settings::flag(const std::string& key, bool otherwise) {
  const auto* value = find(key);
  return value == nullptr ? otherwise : value->flag();
}

std::string Settings::text(const std::string& key, const std::string& otherwise) {
  const auto* value = find(key);
  return value == nullptr ? otherwise : value->text();
}

std::vector<std::string> Settings::texts(const std::string& key, const std::vector<std::string>& otherwise) {
  const auto* value = find(key);
  if (value == nullptr) return otherwise;
  if (value->is_text()) return {value->text()};
  std::vector<std::string> texts;
  for (const auto& item : value->list()) texts.push_back(item.text());
  return texts;
}

std::vector<double> Settings::numbers(const std::string& key, const std::vector<double>& otherwise) {
  const auto* value = find(key);
  if (value == nullptr) return otherwise;
  std::vector<double> numbers;
  for (const auto& item : value->list()) numbers.push_back(item.number());
  return numbers;
}

std::vector<std::int64_t> Settings::integers(const std::string& key,
                                             const std::vector<std::int64_t>& otherwise) {
  const auto* value = find(key);
  if (value == nullptr) return otherwise;
  std::vector<std::int64_t> integers;
  for (const auto& item : value->list()) integers.push_back(item.integer_in(0, 1'000'000'000));
  return integers;
}

std::vector<Settings> Settings::tables(const std::string& key) {
  std::vector<Settings> tables;
  if (const auto* value = find(key)) {
    for (const auto& item : value->list()) tables.emplace_back(&item);
  }
  return tables;
}

void Settings::done() const {
  if (table_ != nullptr) refuse_unknown_keys(*table_, asked_);
}

void Settings::refuse(const std::string& key, const std::string& why) const {
  if (table_ == nullptr) throw UsageError(fmt::format("{}: {}", key, why));
  const auto* value = table_->find(key);
  (value == nullptr ? table_ : value)->refuse(why);
}

const TomlValue* Settings::find(const std::string& key) {
  asked_.push_back(key);
  return table_ == nullptr ? nullptr : table_->find(key);
}

void Settings::refuse_choice(const std::string& key, const std::vector<std::string>& names) const {
  refuse(key, fmt::format("'{}' is none of {}", table_->at(key).text(), fmt::join(names, ", ")));
}

}  // namespace sr
