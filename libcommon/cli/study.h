#pragma once
// What sr-metrics study does: a page on which people choose the best of several methods' results.

#include <memory>
#include <string>
#include <vector>

#include "cli/program.h"
#include "image/picture.h"

namespace sr {

struct StudyConfig {
  std::vector<std::string> methods;  ///< folders of results
  std::string reference;             ///< a folder of what is shown beside them, HR or LR; empty: nothing
  std::string output;
  std::string title = "Which one looks best?";
  std::int64_t seed = 0;
  bool recursive = false;
  int threads = 0;
  std::int64_t max_pixels = kMaxPixels;
};

/// `sr-metrics study`, with its options, which fill `config`.
std::unique_ptr<Program> study_program(StudyConfig& config);

/// Writes the page (share/report/study.html is its template) with the pictures that every folder has, matched
/// as sr-metrics matches pairs. One that a folder lacks, or that is of several sizes, is an error and left
/// out. A method is called as its folder. Throws UsageError where there are fewer than two methods, or no
/// picture of all.
ExitStatus make_study(Program& program, const StudyConfig& config);

}  // namespace sr
