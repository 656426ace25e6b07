#include "tagging/tags.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace sr {
namespace {

/// The lines of a text file, none of them empty; \r\n ends one as well.
std::vector<std::string> read_lines(const fs::path& path) {
  std::vector<std::string> lines = split(read_file(path), '\n');
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].ends_with('\r')) lines[i].pop_back();
    if (lines[i].empty()) throw Error(fmt::format("{}: line {} is empty", printable(path.string()), i + 1));
  }
  if (lines.empty()) throw Error(fmt::format("{}: the file is empty", printable(path.string())));
  return lines;
}

std::vector<float> read_thresholds(const fs::path& path) {
  std::vector<float> values;
  for (const std::string& line : read_lines(path)) {
    double value = 0;
    const auto [end, problem] = std::from_chars(line.data(), line.data() + line.size(), value);
    const bool number =
        problem == std::errc() && end == line.data() + line.size() && value >= 0 && value <= 1;
    if (!number)
      throw Error(fmt::format("{}: line {} is no number from 0 to 1: {}", printable(path.string()),
                              values.size() + 1, printable(line)));
    values.push_back(static_cast<float>(value));
  }
  return values;
}

}  // namespace

TagList read_tag_list(const fs::path& names, const fs::path& thresholds) {
  TagList tags{.names = read_lines(names), .thresholds = torch::tensor(read_thresholds(thresholds))};
  if (tags.thresholds.numel() != tags.size())
    throw Error(fmt::format("{} has {} tags and {} has {} thresholds", printable(names.string()), tags.size(),
                            printable(thresholds.string()), tags.thresholds.numel()));
  return tags;
}

void check_tag_list(const TagList& tags, int64_t classes) {
  if (tags.size() != classes)
    throw Error(fmt::format("the tag list has {} tags, the network knows {}", tags.size(), classes));
}

Tensor tag_probabilities(const Tensor& logits) { return logits.to(at::kFloat).sigmoid(); }

std::vector<size_t> present_tags(const Tensor& probabilities, const Tensor& thresholds) {
  const Tensor places = probabilities.cpu().gt(thresholds).nonzero().flatten();
  const auto* begin = places.data_ptr<int64_t>();
  return {begin, begin + places.numel()};
}

std::vector<size_t> most_probable_tags(const Tensor& probabilities, size_t count) {
  const Tensor order = at::argsort(probabilities.cpu(), /*stable=*/true, /*dim=*/0, /*descending=*/true);
  const auto kept = std::min<int64_t>(static_cast<int64_t>(count), order.numel());
  const auto* begin = order.data_ptr<int64_t>();
  return {begin, begin + kept};
}

std::string joined_tags(const TagList& tags, const std::vector<size_t>& present) {
  std::vector<std::string> names;
  for (const size_t index : present) names.push_back(tags.names.at(index));
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace sr
