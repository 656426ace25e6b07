#pragma once
// What sr-iqa tsne does.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/program.h"

namespace sr {

struct TsneConfig {
  std::vector<std::string> files;  ///< rows of sr-iqa features; none: standard input
  double perplexity = 30;
  std::int64_t iterations = 1000;
  std::int64_t seed = 0;
  std::string init = "pca";
  bool json = false, no_header = false;
  int threads = 0;
};

/// `sr-iqa tsne`, with its options, which fill `config`.
std::unique_ptr<Program> tsne_program(TsneConfig& config);

/// Prints a row for each row of the files, in their order: the picture's name and its place in the plane.
ExitStatus print_tsne(Program& program, const TsneConfig& config);

}  // namespace sr
