#pragma once
// Groups of options that programs share, and what they say in a struct each.

#include <cstdint>
#include <string>
#include <vector>

#include "cli/program.h"

namespace sr {

/// What to work on.
struct InputOptions {
  std::vector<std::string> names;  ///< FILE, DIR or -
  bool recursive = false;
  std::string files_from;  ///< a list of names, "-": standard input
  bool null_separated = false;
};

/// Where results go and in which form.
struct OutputOptions {
  std::string output;  ///< FILE, DIR or -
  std::string format;
  std::string depth = "auto";
  std::string alpha = "keep";
  std::string metadata = "keep";
  bool skip_existing = false;
};

/// How to go through many files.
struct BatchOptions {
  std::string shard;  ///< "I/N": every N-th file, from the I-th on; or "slurm"
  int jobs = 3;       ///< files under way at once; 0, where a program allows it: as many as there are threads
};

/// Where and how exactly to compute.
struct ComputeOptions {
  std::string device = "auto";
  std::string precision = "auto";
  int threads = 0;
};

/// Which network.
struct ModelOptions {
  std::string model = "compact-x4";
  std::string weights;        ///< a folder searched first
  double denoise = 1;         ///< share of `model` against its weak-denoising twin
  std::string denoise_model;  ///< that twin; empty: found by name
};

/// How tables of scores are printed.
struct TableOptions {
  std::string format = "tsv";
  bool json = false;  ///< short for that format
  bool no_header = false;
};

void add_input_options(Program& program, InputOptions& options);
void add_output_options(Program& program, OutputOptions& options);
void add_batch_options(Program& program, BatchOptions& options);
/// --shard alone, for programs that do one file at a time.
void add_shard_option(Program& program, std::string& shard);
void add_model_options(Program& program, ModelOptions& options);
/// `precisions` are those that the program computes in.
void add_compute_options(Program& program, ComputeOptions& options,
                         const std::string& precisions = "auto|fp32|bf16|fp16");
/// --weights alone.
void add_weights_option(Program& program, std::string& folder);
void add_table_options(Program& program, TableOptions& options);
/// --threads alone, for programs without a network.
void add_threads_option(Program& program, int& threads);
/// --seed alone, from 0 to kMostSeed.
CLI::Option* add_seed_option(Program& program, std::int64_t& seed, const std::string& description);
void add_max_pixels_option(Program& program, std::int64_t& max_pixels);

}  // namespace sr
