#pragma once
// Questions to a network's parsed config.json. Each error names the key and what it says; whose file it is,
// the caller knows.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sr {

class ConfigReader {
 public:
  using Json = nlohmann::json;

  /// Reads `json` as long as it lives. Throws Error where it is no object.
  explicit ConfigReader(const Json& json);

  /// Throws Error where the key is missing or its value is no T.
  template <class T>
  T get(const std::string& key) {
    return as<T>(key, required(key));
  }
  /// The same, but for a missing key.
  template <class T>
  T get(const std::string& key, const T& otherwise) {
    const Json* value = find(key);
    return value ? as<T>(key, *value) : otherwise;
  }

  /// A number in [low, high]. Throws Error for others, and where the key is missing and there is no
  /// `otherwise`.
  double number(const std::string& key, double low, double high, std::optional<double> otherwise = {});
  int64_t whole_number(const std::string& key, int64_t low, int64_t high,
                       std::optional<int64_t> otherwise = {});
  /// A whole number of at least 1: how many there are of something.
  int64_t count(const std::string& key, std::optional<int64_t> otherwise = {});

  /// A list of such numbers, of one at least.
  std::vector<int64_t> counts(const std::string& key,
                              const std::optional<std::vector<int64_t>>& otherwise = {});

  /// What a name stands for. Throws Error for names that are not `known`.
  template <class T>
  T one_of(const std::string& key, const std::vector<std::pair<std::string, T>>& known,
           const std::optional<std::string>& otherwise = {}) {
    const auto name = otherwise ? get(key, *otherwise) : get<std::string>(key);
    std::string names;
    for (const auto& [known_name, value] : known) {
      if (name == known_name) return value;
      names += (names.empty() ? "" : ", ") + known_name;
    }
    refuse(key, name, "which is none of " + names);
  }

  /// Throws Error where the key has, or by its absence means, another value than `only`.
  void require(const std::string& key, const Json& only, const Json& otherwise);
  /// The same where a missing key means `only`.
  void require(const std::string& key, const Json& only) { require(key, only, only); }

  /// Where the key is missing: null.
  const Json* find(const std::string& key);
  /// Keys that there were questions for.
  const std::set<std::string>& asked() const { return asked_; }

  [[noreturn]] static void refuse(const std::string& key, const Json& value, const std::string& reason);

 private:
  template <class T>
  static T as(const std::string& key, const Json& value) {
    try {
      return value.get<T>();
    } catch (const Json::exception&) {
      refuse(key, value, "which cannot be read");
    }
  }
  const Json& required(const std::string& key);

  const Json& json_;
  std::set<std::string> asked_;
};

}  // namespace sr
