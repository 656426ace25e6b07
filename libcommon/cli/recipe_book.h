#pragma once
// Recipes in files: one JSON object a line.

#include <map>
#include <mutex>
#include <string>

#include "degrade/recipe.h"

namespace sr {

/// The recipes of a file, by picture.
class RecipeBook {
 public:
  /// Throws UsageError "FILE:LINE: reason".
  static RecipeBook read(const std::string& file);
  /// Throws Error where there is none for this picture.
  const Recipe& of(const std::string& image) const;

 private:
  std::string file_;
  std::map<std::string, Recipe> recipes_;
};

/// Collects recipes from several threads and writes them in the order of the pictures' names.
class RecipeLog {
 public:
  void add(const Recipe& recipe);
  /// To `file`, whole or not at all; "-": standard output.
  void write(const std::string& file);

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> lines_;
};

}  // namespace sr
