#include "cli/options.h"

#include <CLI/CLI.hpp>

#include "cli/offers.h"
#include "core/random.h"
#include "image/encode.h"

namespace sr {
namespace {

constexpr auto* kComputation = "Computation";

}  // namespace

void add_input_options(Program& program, InputOptions& options) {
  constexpr auto* group = "Input";
  auto& app = program.app();
  app.add_option("inputs", options.names, "Files, folders, or - for standard input");
  app.add_flag("-r,--recursive", options.recursive, "Descend into folders; their tree is kept in the output")
      ->group(group);
  auto* list = app.add_option("--files-from", options.files_from,
                              "Read the names of inputs from FILE (-: standard input), one a line")
                   ->type_name("FILE")
                   ->group(group);
  app.add_flag("-0,--null", options.null_separated, "Names in --files-from end in NUL instead of a line feed")
      ->needs(list)
      ->group(group);
}

void add_output_options(Program& program, OutputOptions& options) {
  constexpr auto* group = "Output";
  auto& app = program.app();
  app.add_option(
         "-o,--output", options.output,
         "Write to FILE (save options in brackets: out.jpg[Q=92]), into DIR, or to standard output (-)")
      ->type_name("FILE")
      ->group(group);
  app.add_option(
         "--format", options.format,
         "Write this format, whatever the name says: png, jpg[Q=92], webp, tiff, avif, jxl, ppm ...; "
         "default: by the name, in folders that of the input (sr-degrade: png), png on standard output")
      ->type_name("FORMAT")
      ->group(group);
  program.offer("--format", choice_of(Format::names()));
  program
      .add_choice("--depth", options.depth, "auto|8|16|float",
                  "Bits a sample; auto: as the input, within what the format holds")
      ->group(group);
  app.add_option("--alpha", options.alpha,
                 "Transparency: keep, drop, or flatten=COLOUR (white, black, grey, #RRGGBB)")
      ->type_name("POLICY")
      ->group(group);
  program.offer("--alpha", choice_of({"keep", "drop", "flatten=white", "flatten=black", "flatten=grey"}));
  program
      .add_choice("--metadata", options.metadata, "keep|strip", "Keep or strip EXIF, XMP, IPTC and comments")
      ->group(group);
  app.add_flag("--skip-existing", options.skip_existing, "Leave alone what is already there: resumes a batch")
      ->group(group);
}

void add_shard_option(Program& program, std::string& shard) {
  program.app()
      .add_option("--shard", shard,
                  "Take only every N-th input, from the I-th on (1/4 ... 4/4), to share work; slurm: as "
                  "the job array and srun's tasks are numbered")
      ->type_name("I/N|slurm")
      ->group("Input");
  program.offer("--shard", choice_of({"slurm"}));
}

void add_batch_options(Program& program, BatchOptions& options) {
  add_shard_option(program, options.shard);
  program.app()
      .add_option("--jobs", options.jobs,
                  "Files under way at once, so that decoding, computing and encoding overlap (3; sr-degrade: "
                  "one more than threads; sr-metrics, sr-iqa: as many as threads; sr-tag: batches)")
      ->type_name("N")
      ->check(CLI::Range(1, 256))
      ->group("Computation");
}

void add_threads_option(Program& program, int& threads) {
  program.app()
      .add_option("--threads", threads, "Threads that compute; 0: one for each processor")
      ->type_name("N")
      ->check(CLI::Range(0, 4096))
      ->group(kComputation);
}

void add_compute_options(Program& program, ComputeOptions& options, const std::string& precisions) {
  program.app()
      .add_option("--device", options.device, "auto, cpu, cuda or cuda:N; auto: a GPU where there is one")
      ->type_name("DEVICE")
      ->group(kComputation);
  program.offer("--device", choice_of({"auto", "cpu", "cuda"}));
  program
      .add_choice("--precision", options.precision, precisions,
                  "Number format of the network; auto: bf16 or fp16 where the hardware is fast at it")
      ->group(kComputation);
  add_threads_option(program, options.threads);
}

void add_model_options(Program& program, ModelOptions& options) {
  constexpr auto* group = "Model";
  auto& app = program.app();
  app.add_option("-m,--model", options.model,
                 "A checkpoint file (.pth, .pt, .safetensors, as downloaded), or a name of the catalogue; "
                 "default: compact-x4, which is bundled")
      ->type_name("NAME|FILE")
      ->group(group);
  program.offer("--model", models_of("network", {"bicubic"}));
  add_weights_option(program, options.weights);
  auto* denoise =
      program
          .add_number("--denoise", options.denoise, 0, 1,
                      "Strength of noise removal, 0 to 1: mixes the model with its weak-denoising twin "
                      "(realesr-general-x4v3)")
          ->type_name("STRENGTH")
          ->group(group);
  app.add_option("--denoise-model", options.denoise_model, "The twin that --denoise mixes with")
      ->needs(denoise)
      ->type_name("NAME|FILE")
      ->group(group);
  program.offer("--denoise-model", models_of("network"));
}

void add_weights_option(Program& program, std::string& folder) {
  program.app()
      .add_option("--weights", folder, "Look for catalogue models in DIR first")
      ->type_name("DIR")
      ->group("Model");
}

void add_table_options(Program& program, TableOptions& options) {
  constexpr auto* group = "Output";
  auto& app = program.app();
  program
      .add_choice("--format", options.format, "tsv|json|md|latex",
                  "The table: tab-separated, a JSON object a line, Markdown, or LaTeX (booktabs)")
      ->group(group);
  app.add_flag("--json", options.json, "Short for --format json")->group(group);
  app.add_flag("--no-header", options.no_header, "No line of column names; of md and latex the rows alone")
      ->group(group);
}

CLI::Option* add_seed_option(Program& program, std::int64_t& seed, const std::string& description) {
  return program.app()
      .add_option("--seed", seed, description)
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{0}, kMostSeed));
}

void add_max_pixels_option(Program& program, std::int64_t& max_pixels) {
  program.app()
      .add_option("--max-pixels", max_pixels, "Refuse pictures with more pixels than this (500000000)")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->group("Input");
}

}  // namespace sr
