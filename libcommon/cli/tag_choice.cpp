#include "cli/tag_choice.h"

#include <CLI/CLI.hpp>

namespace sr {

void add_tag_choice_options(Program& program, TagChoice& choice) {
  constexpr auto* group = "Tags";
  program
      .add_number("--threshold", choice.threshold, 0, 1,
                  "A tag must be more probable than P; default: each has its own threshold")
      ->type_name("P")
      ->group(group);
  program.app()
      .add_option("--top", choice.top,
                  "The K most probable tags, the most probable first, whatever their own thresholds")
      ->type_name("K")
      ->check(CLI::PositiveNumber)
      ->group(group);
}

Tensor chosen_thresholds(const TagList& tags, const TagChoice& choice) {
  if (choice.threshold < 0) return tags.thresholds;
  return at::full_like(tags.thresholds, choice.threshold);
}

std::vector<size_t> chosen_tags(const Tensor& probabilities, const Tensor& thresholds,
                                const TagChoice& choice) {
  if (choice.top == 0) return present_tags(probabilities, thresholds);
  auto chosen = most_probable_tags(probabilities, static_cast<size_t>(choice.top));
  if (choice.threshold < 0) return chosen;
  const auto* values = probabilities.data_ptr<float>();
  const auto* limits = thresholds.data_ptr<float>();
  std::erase_if(chosen, [&](size_t i) { return !(values[i] > limits[i]); });
  return chosen;
}

}  // namespace sr
