#pragma once
// Recipes in files: one JSON object a line.

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "core/atomic_file.h"
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
  /// To `file`, whole or not at all; "-": standard output; "": nowhere. Throws UsageError where it can't be
  /// written: better now than after the work.
  explicit RecipeLog(const std::string& file);
  void add(const Recipe& recipe);
  /// After the last recipe. Throws Error.
  void finish();

 private:
  std::string name_;
  std::optional<AtomicFile> file_;
  std::mutex mutex_;
  std::map<std::string, std::string> lines_;
};

}  // namespace sr
