#include "cli/recipe_book.h"

#include <fmt/format.h>
#include <fstream>

#include "cli/inputs.h"
#include "core/error.h"
#include "core/stdout.h"

namespace sr {
RecipeBook RecipeBook::read(const std::string& file) {
  RecipeBook book;
  book.file_ = shown(file, "standard input");
  size_t number = 0;
  for (const auto& line : split(read_named_file(file), '\n')) {
    number++;
    if (line.empty()) continue;
    try {
      auto recipe = recipe_from_json(line);
      const auto name = recipe.image;
      if (!book.recipes_.emplace(name, std::move(recipe)).second) {
        throw Error(fmt::format("a second recipe for {}", printable(name)));
      }
    } catch (const Error& error) {
      throw UsageError(fmt::format("{}:{}: {}", book.file_, number, error.what()));
    }
  }
  return book;
}

const Recipe& RecipeBook::of(const std::string& image) const {
  const auto at = recipes_.find(name_in_recipe(image));
  if (at == recipes_.end()) throw Error(fmt::format("{} has no recipe for it", file_));
  return at->second;
}

RecipeLog::RecipeLog(const std::string& file) : name_(file) {
  if (file.empty() || is_stream(file)) return;
  try {
    file_.emplace(file);
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
}

void RecipeLog::add(const Recipe& recipe) {
  auto line = to_json(recipe) + "\n";
  const std::lock_guard lock(mutex_);
  lines_[recipe.image] = std::move(line);
}

void RecipeLog::finish() {
  std::string text;
  for (const auto& [image, line] : lines_) text += line;
  if (is_stream(name_)) throw_stdout_error(write_stdout(text));
  if (!file_) return;
  std::ofstream stream(file_->path().string(), std::ios::binary);
  stream << text;
  stream.close();
  if (!stream) throw Error(fmt::format("{}: could not be written", printable(name_)));
  file_->commit();
}

}  // namespace sr
