#include "cli/tag_truth.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/inputs.h"
#include "cli/tag_file.h"
#include "cli/text_table.h"
#include "core/records.h"

namespace sr {
namespace {

using Json = nlohmann::json;
using Ids = std::map<std::int64_t, size_t>;

/// The whole text as one object, if it is one. Outlines of objects are most of COCO's files: they are not
/// kept.
std::optional<Json> parse_object(const std::string& text) {
  const auto keep = [](int /*depth*/, Json::parse_event_t event, Json& parsed) {
    return event != Json::parse_event_t::key || parsed != "segmentation";
  };
  auto object = Json::parse(text, keep, /*allow_exceptions=*/false);
  return object.is_object() ? std::optional(std::move(object)) : std::nullopt;
}

/// Throws what nlohmann-json throws; `get` would take 1e300 too, which is no number of that type.
std::int64_t id_at(const Json& entry, const char* key) {
  return entry.at(key).get_ref<const Json::number_integer_t&>();
}

/// The names of `entries`, and where each id's is.
std::pair<std::vector<std::string>, Ids> named_entries(const Json& entries, const char* key) {
  std::vector<std::string> names;
  Ids ids;
  for (const auto& entry : entries) {
    ids[id_at(entry, "id")] = names.size();
    names.push_back(entry.at(key).get<std::string>());
  }
  return {std::move(names), std::move(ids)};
}

/// Throws what nlohmann-json throws, and std::out_of_range for an id that nothing has.
TagTruth coco_truth(const Json& file) {
  const auto [classes, class_ids] = named_entries(file.at("categories"), "name");
  const auto [images, image_ids] = named_entries(file.at("images"), "file_name");
  TagTruth truth{classes, images, std::vector<std::set<size_t>>(images.size())};
  for (const auto& annotation : file.at("annotations")) {
    const auto image = image_ids.at(id_at(annotation, "image_id"));
    truth.labels[image].insert(class_ids.at(id_at(annotation, "category_id")));
  }
  return truth;
}

TagTruth truth_of(const TagFile& file) {
  TagTruth truth{{}, file.names, {}};
  std::map<std::string, size_t> places;
  for (const auto& tags : file.tags) {
    auto& labels = truth.labels.emplace_back();
    for (const auto& guess : tags) {
      const auto [at, is_new] = places.emplace(guess.tag, truth.classes.size());
      if (is_new) truth.classes.push_back(guess.tag);
      if (guess.present) labels.insert(at->second);
    }
  }
  return truth;
}

}  // namespace

TagTruth read_tag_truth(const std::string& path) {
  const auto text = read_named_file(path);
  const auto file = shown(path, "standard input");
  const auto object = text.find_first_not_of(" \t\r\n") == text.find('{') ? parse_object(text) : std::nullopt;
  if (!object || !object->contains("annotations")) return truth_of(parse_tag_file(text, file));
  try {
    return coco_truth(*object);
  } catch (const Json::exception& error) {
    throw UsageError(fmt::format("{}: these are not COCO's annotations: {}", file, error.what()));
  } catch (const std::out_of_range&) {
    throw UsageError(fmt::format("{}: an annotation is of an image or a category that is not listed", file));
  }
}

std::map<std::string, std::string> read_synonyms(const std::string& path) {
  std::map<std::string, std::string> class_of;
  const auto file = shown(path, "standard input");
  for (const auto& line : lines_of(read_named_file(path))) {
    if (is_comment(line.text)) continue;
    const auto fields = tsv_fields(line.text);
    if (fields.size() != 2 || fields[0].empty() || fields[1].empty())
      throw UsageError(fmt::format("{}:{}: not a class, a tab and a tag", file, line.number));
    class_of[fields[1]] = fields[0];
  }
  return class_of;
}

}  // namespace sr
