#include "cli/tag_file.h"

#include <array>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/inputs.h"
#include "cli/text_table.h"
#include "core/records.h"

namespace sr {
namespace {

using Json = nlohmann::json;
using Fields = std::vector<std::string>;

constexpr size_t kListFields = 2, kFewestScoreFields = 3, kMostScoreFields = 4;

/// Gathers the rows of each picture.
class Gathered {
 public:
  TagGuesses& of(const std::string& name) {
    const auto [at, is_new] = places_.emplace(name, file_.names.size());
    if (is_new) {
      file_.names.push_back(name);
      file_.tags.emplace_back();
    }
    return file_.tags[at->second];
  }

  void add(const std::string& name, TagGuess guess) {
    auto& tags = of(name);
    if (guess.tag.empty()) return;  // a picture without tags
    if (!guess.probability) file_.scored = false;
    tags.push_back(std::move(guess));
  }

  TagFile take() { return std::move(file_); }

 private:
  std::map<std::string, size_t> places_;
  TagFile file_;
};

double number_of(const std::string& text, const std::string& where) {
  const auto number = parse_real(text);
  if (!number) throw UsageError(fmt::format("{}: '{}' is no number", where, printable(text)));
  return *number;
}

/// Both are float32 where they were compared first.
bool is_above(double probability, double threshold) {
  return static_cast<float>(probability) > static_cast<float>(threshold);
}

TagGuess scored_guess(const Fields& fields, const std::string& where) {
  TagGuess guess{fields[1], true, std::nullopt};
  if (guess.tag.empty()) return guess;
  guess.probability = number_of(fields[2], where);
  if (fields.size() == kMostScoreFields)
    guess.present = is_above(*guess.probability, number_of(fields[3], where));
  return guess;
}

bool is_header(const Fields& fields) {
  static const std::array<Fields, 3> headers = {Fields{"file", "tags"}, Fields{"file", "tag", "probability"},
                                                Fields{"file", "tag", "probability", "threshold"}};
  return std::ranges::find(headers, fields) != headers.end();
}

void add_text(Gathered& gathered, const TextLine& line, const std::string& where) {
  const auto fields = tsv_fields(line.text);
  if (is_comment(line.text) || is_header(fields)) return;
  if (fields.size() > kMostScoreFields)
    throw UsageError(fmt::format("{}: {} fields instead of 2 to 4", where, fields.size()));
  if (fields.size() >= kFewestScoreFields) return gathered.add(fields[0], scored_guess(fields, where));
  gathered.of(fields[0]);
  if (fields.size() < kListFields) return;
  for (const auto& tag : split(fields[1], ','))
    gathered.add(fields[0], {std::string(trimmed(tag)), true, std::nullopt});
}

/// Throws what nlohmann-json throws.
void add_object(Gathered& gathered, const Json& object) {
  const auto name = object.at("file").get<std::string>();
  if (const auto tags = object.find("tags"); tags != object.end()) {
    gathered.of(name);
    for (const auto& tag : *tags) gathered.add(name, {tag.get<std::string>(), true, std::nullopt});
    return;
  }
  const auto& tag = object.at("tag");
  if (tag.is_null()) return gathered.add(name, {});
  TagGuess guess{tag.get<std::string>(), true, object.at("probability").get<double>()};
  if (const auto limit = object.find("threshold"); limit != object.end())
    guess.present = is_above(*guess.probability, limit->get<double>());
  gathered.add(name, std::move(guess));
}

void add_json(Gathered& gathered, const TextLine& line, const std::string& where) {
  try {
    add_object(gathered, Json::parse(line.text));
  } catch (const Json::exception&) {
    throw UsageError(fmt::format("{}: no JSON object as sr-tag prints them", where));
  }
}

}  // namespace

TagFile read_tag_file(const std::string& path) {
  return parse_tag_file(read_named_file(path), shown(path, "standard input"));
}

TagFile parse_tag_file(const std::string& text, const std::string& file) {
  const auto lines = lines_of(text);
  const bool json = !lines.empty() && trimmed(lines[0].text).front() == '{';
  Gathered gathered;
  for (const auto& line : lines) {
    const auto where = fmt::format("{}:{}", file, line.number);
    json ? add_json(gathered, line, where) : add_text(gathered, line, where);
  }
  auto read = gathered.take();
  if (read.names.empty()) throw UsageError(fmt::format("{}: there are no pictures in it", file));
  return read;
}

}  // namespace sr
