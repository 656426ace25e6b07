#include "nets/config_reader.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

#include "core/error.h"

namespace sr {
namespace {

constexpr int64_t kMost = std::numeric_limits<int32_t>::max();  // of anything

}  // namespace

ConfigReader::ConfigReader(const Json& json) : json_(json) {
  if (!json.is_object()) throw Error("is no JSON object");
}

double ConfigReader::number(const std::string& key, double low, double high,
                            std::optional<double> otherwise) {
  const auto number = otherwise ? get(key, *otherwise) : get<double>(key);
  if (!(number >= low && number <= high))
    refuse(key, required(key), fmt::format("which is not from {} to {}", low, high));
  return number;
}

int64_t ConfigReader::whole_number(const std::string& key, int64_t low, int64_t high,
                                   std::optional<int64_t> otherwise) {
  // 1e3 and 1000.0 are whole too
  const double written = number(key, static_cast<double>(low), static_cast<double>(high), otherwise);
  if (written != std::floor(written)) refuse(key, required(key), "which is no whole number");
  return static_cast<int64_t>(written);
}

int64_t ConfigReader::count(const std::string& key, std::optional<int64_t> otherwise) {
  return whole_number(key, 1, kMost, otherwise);
}

std::vector<int64_t> ConfigReader::counts(const std::string& key,
                                          const std::optional<std::vector<int64_t>>& otherwise) {
  const Json* value = otherwise ? find(key) : &required(key);
  if (!value) return *otherwise;
  const auto is_count = [](const Json& item) {
    return item.is_number_integer() && item >= 1 && item <= kMost;
  };
  if (!value->is_array() || value->empty() || !std::ranges::all_of(*value, is_count))
    refuse(key, *value, fmt::format("which is no list of whole numbers from 1 to {}", kMost));
  return value->get<std::vector<int64_t>>();
}

void ConfigReader::require(const std::string& key, const Json& only, const Json& otherwise) {
  const Json* value = find(key);
  const Json& meant = value ? *value : otherwise;
  if (meant != only) refuse(key, meant, fmt::format("but only {} is built here", only.dump()));
}

const ConfigReader::Json* ConfigReader::find(const std::string& key) {
  asked_.insert(key);
  const auto found = json_.find(key);
  return found == json_.end() ? nullptr : &*found;
}

void ConfigReader::refuse(const std::string& key, const Json& value, const std::string& reason) {
  const auto is_nested = [](const Json& item) { return item.is_structured(); };
  const bool flat = std::ranges::none_of(value, is_nested);  // dump would go down any nesting there is
  throw Error(fmt::format("{} = {}, {}", key, flat ? value.dump() : "...", reason));
}

const ConfigReader::Json& ConfigReader::required(const std::string& key) {
  const Json* value = find(key);
  if (!value) throw Error(fmt::format("{} is missing", key));
  return *value;
}

}  // namespace sr
