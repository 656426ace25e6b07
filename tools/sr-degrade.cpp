#include <CLI/CLI.hpp>

#include "cli/degrade.h"
#include "cli/offers.h"

namespace {

sr::ProgramInfo info() {
  return {
      "sr-degrade",
      "make low-resolution images of high-resolution ones",
      "[OPTION]... IN... -o OUT | --pairs DIR",
      "Makes LR images for training and benchmarks. The method is a preset or a file of your own: bicubic "
      "is MATLAB's imresize with antialiasing, by which the field's test sets were made (sides become "
      "ceil(side / scale)); realesrgan is Real-ESRGAN's second-order degradation, seesr the same as SeeSR "
      "made its training pairs with, bsrgan BSRGAN's shuffled one. Presets are TOML files, "
      "degrade-NAME.toml in the share folder's presets/; README.md there explains how to write one.\n"
      "\n"
      "What is random is drawn from the seed and the picture's name alone: the same seed gives the same "
      "bytes for any --threads, order or --shard. --record keeps all that was drawn, --replay does it "
      "again.\n"
      "\n"
      "IN is a file, a folder, or - for standard input; OUT a file, a folder, or - for standard output. "
      "Results are PNG unless OUT's name or --format says otherwise.",
      {{"sr-degrade -m bicubic -s 4 HR/ -o LR/", "Make the LR half of a benchmark."},
       {"sr-degrade -m realesrgan --seed 7 --record recipes.ndjson HR/ -o LR/",
        "Degrade photographs as Real-ESRGAN does, and keep what was drawn."},
       {"sr-degrade --replay recipes.ndjson HR/ -o again/", "Make the same bytes again."},
       {"sr-degrade -m seesr --crop 512 --pairs train/ DIV2K/",
        "Make SeeSR's training pairs; --resize 512 DAPE's."},
       {"sr-degrade -m realesrgan --contact-sheet sheet.png HR/ -o LR/", "Look at what was made."},
       {"sr-upscale a.png -o - | sr-degrade -s 4 - -o back.png", "Shrink what was enlarged."}}};
}

void add_degradation_options(sr::Program& program, sr::DegradeConfig& config) {
  constexpr auto* group = "Degradation";
  auto& app = program.app();
  auto* method =
      app.add_option(
             "-m,--method", config.method,
             "How the LR image is made: bicubic, realesrgan, seesr, bsrgan, or a .toml file (bicubic)")
          ->type_name("NAME|FILE")
          ->group(group);
  program.offer("--method", sr::presets_of("degrade"));
  auto* scale =
      program.add_number("-s,--scale", config.scale, 1, 64, "HR side divided by LR side (the method's, 4)")
          ->type_name("S")
          ->group(group);
  app.add_flag(
         "--luma", config.luma,
         "With bicubic: shrink Y alone (of YCbCr, BT.601, rounded), as the papers' MATLAB scripts do; keep "
         "--depth 16, as they don't round the LR image")
      ->group(group);
  auto* seed =
      sr::add_seed_option(program, config.seed, "What random draws come from, beside the picture's name (0)")
          ->group(group);
  app.add_option("--record", config.record,
                 "Write what was drawn for each picture to FILE, a JSON object a line")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--contact-sheet", config.contact_sheet,
                 "Then show the first 64 HR pictures beside their LR pictures (pixels as squares) on one "
                 "sheet, FILE: thumbnails, of more than 512 HR pixels a side the middle")
      ->type_name("FILE.png")
      ->group("Output");
  app.add_option("--replay", config.replay, "Do again what FILE records; needs no seed")
      ->type_name("FILE")
      ->excludes(method)
      ->excludes(scale)
      ->excludes(seed)
      ->group(group);
}

void add_pair_options(sr::Program& program, sr::DegradeConfig& config) {
  constexpr auto* group = "Training pairs";
  constexpr std::int64_t kLargest = 65536;
  auto& app = program.app();
  app.add_option(
         "--pairs", config.pairs,
         "Write both halves: DIR/gt, DIR/lr, and DIR/sr_bicubic (the LR image at the HR size) where the "
         "method stores it (seesr)")
      ->type_name("DIR")
      ->group(group);
  app.add_option("--crop", config.crop, "Take a random square of N HR pixels of each picture")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, kLargest))
      ->group(group);
  app.add_option("--resize", config.resize,
                 "First resize each picture to N x N (PIL's Lanczos, as for DAPE; then nothing is mirrored)")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, kLargest))
      ->group(group);
}

}  // namespace

int main(int argc, char** argv) {
  sr::Program program(info());
  sr::DegradeConfig config;
  config.batch.jobs = 0;  // one more than threads, unless the option says otherwise
  sr::add_input_options(program, config.input);
  sr::add_output_options(program, config.output);
  add_degradation_options(program, config);
  add_pair_options(program, config);
  sr::add_threads_option(program, config.threads);
  sr::add_batch_options(program, config.batch);
  sr::add_max_pixels_option(program, config.max_pixels);
  return program.run(argc, argv, [&] { return sr::degrade(program, config); });
}
