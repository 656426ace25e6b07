#include "weights/catalogue.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fmt/format.h>
#include <numeric>
#include <set>
#include <sstream>
#include <utility>

#include "core/error.h"

namespace sr {
namespace {

constexpr std::string_view kHeader = "name\tfile\turl\tbytes\tsha256\tlicence\twhat\tuse";
constexpr std::size_t kColumns = 8;
constexpr std::size_t kMostSuggestions = 3;

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, '\t');) {
    fields.push_back(field == "-" ? std::string() : field);
  }
  return fields;
}

std::optional<std::uint64_t> parse_bytes(const std::string& field) {
  if (field.empty()) return std::nullopt;
  std::uint64_t bytes = 0;
  const char* end = field.data() + field.size();
  const auto [stop, error] = std::from_chars(field.data(), end, bytes);
  if (error != std::errc() || stop != end)
    throw Error(fmt::format("'{}' is no number of bytes", printable(field)));
  return bytes;
}

void check_hash(const std::string& hash) {
  const bool digits =
      std::ranges::all_of(hash, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!digits || hash.size() > 64) throw Error(fmt::format("'{}' is no SHA-256", printable(hash)));
}

CatalogueEntry parse_row(const std::string& line) {
  const auto fields = split(line);
  if (fields.size() != kColumns) {
    throw Error(fmt::format("has {} fields instead of {}", fields.size(), kColumns));
  }
  if (fields[0].empty() || fields[1].empty() || fields[7].empty()) throw Error("lacks its name, file or use");
  check_hash(fields[4]);
  return {fields[0], fields[1], fields[2], parse_bytes(fields[3]),
          fields[4], fields[5], fields[6], fields[7]};
}

std::vector<CatalogueEntry> parse_table(const std::string& text) {
  std::istringstream in(text);
  std::string line;
  std::getline(in, line);
  if (line != kHeader) throw Error("its header line is not that of a catalogue");
  std::vector<CatalogueEntry> entries;
  std::set<std::string> names;
  for (std::size_t number = 2; std::getline(in, line); ++number) {
    if (line.empty()) continue;
    try {
      entries.push_back(parse_row(line));
      if (!names.insert(entries.back().name).second) throw Error("has a name that came before");
    } catch (const Error& problem) {
      throw Error(fmt::format("line {} {}", number, problem.what()));
    }
  }
  return entries;
}

std::string lowered(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

/// Letters to change, add or leave out to turn one text into the other.
std::size_t edits(std::string_view from, std::string_view to) {
  std::vector<std::size_t> costs(to.size() + 1);
  std::iota(costs.begin(), costs.end(), 0);
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = std::exchange(costs[0], i + 1);
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = std::exchange(costs[j + 1], std::min({replaced, costs[j] + 1, costs[j + 1] + 1}));
    }
  }
  return costs.back();
}

/// How far a typed name is from a known one; a part of it counts as near.
std::size_t distance(const std::string& typed, const std::string& known) {
  const bool part = typed.size() >= 3 && known.find(typed) != std::string::npos;
  const std::size_t far = edits(typed, known);
  return part ? std::min<std::size_t>(far, 1) : far;
}

}  // namespace

Catalogue Catalogue::read(const fs::path& path) {
  Catalogue catalogue;
  catalogue.entries_ = naming(printable(path.string()), [&] { return parse_table(read_file(path)); });
  return catalogue;
}

std::optional<CatalogueEntry> Catalogue::find(std::string_view name) const {
  const auto by_name = std::ranges::find(entries_, name, &Entry::name);
  if (by_name != entries_.end()) return *by_name;
  const auto by_file = std::ranges::find_if(entries_, [name](const Entry& entry) {
    return entry.file.filename() == std::string(name) || entry.file.stem() == std::string(name);
  });
  return by_file == entries_.end() ? std::nullopt : std::optional(*by_file);
}

std::vector<std::string> Catalogue::similar(std::string_view name) const {
  const std::string typed = lowered(name);
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const Entry& entry : entries_) {
    const std::size_t far = distance(typed, lowered(entry.name));
    if (far <= std::max<std::size_t>(2, typed.size() / 3)) ranked.emplace_back(far, entry.name);
  }
  std::ranges::sort(ranked);
  if (ranked.size() > kMostSuggestions) ranked.resize(kMostSuggestions);
  std::vector<std::string> names;
  names.reserve(ranked.size());
  for (auto& [far, known] : ranked) names.push_back(std::move(known));
  return names;
}

}  // namespace sr
