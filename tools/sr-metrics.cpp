#include <CLI/CLI.hpp>

#include "cli/metrics.h"

namespace {

sr::ProgramInfo info() {
  return {
      "sr-metrics",
      "compare pictures with their references: PSNR, SSIM",
      "[OPTION]... A B",
      "Compares picture A with picture B, or every picture in folder A with the one of the same name in "
      "folder B, "
      "and prints a row for each and the mean. One side may be - for standard input. Files without a partner "
      "are "
      "errors.\n"
      "\n"
      "The protocol is printed with the numbers: sr-y is BasicSR's (Y of YCbCr, a border of the scale cut "
      "off), by "
      "which the field's tables are made; rgb compares all three colours over the whole picture.",
      {{"sr-metrics out.png reference.png", "Compare two pictures."},
       {"sr-metrics --protocol sr-y --scale 4 results/ Set5/HR/", "Make a row of a paper's table."},
       {"sr-metrics --pairs pairs.tsv --json", "Compare the pairs of a list, with results for programs."}}};
}

}  // namespace

int main(int argc, char** argv) {
  sr::Program program(info());
  sr::MetricsConfig config;
  auto& app = program.app();
  app.add_option("sides", config.sides, "Two pictures or two folders");
  app.add_option("--pairs", config.pairs,
                 "Read pairs of names from FILE (-: standard input), parted by a tab")
      ->type_name("FILE")
      ->group("Input");
  app.add_flag("-r,--recursive", config.recursive, "Descend into folders")->group("Input");
  sr::add_max_pixels_option(program, config.max_pixels);
  app.add_option("-m,--metrics", config.metrics,
                 "What to measure: psnr, ssim, in the order of the columns (psnr,ssim)")
      ->type_name("LIST")
      ->group("Measures");
  program
      .add_choice("--protocol", config.protocol, "rgb|sr-y",
                  "What is compared; sr-y: Y, border of --scale cut off (rgb)")
      ->group("Measures");
  app.add_option("--scale", config.scale, "The scale of the results, for sr-y (4)")
      ->type_name("S")
      ->check(CLI::Range(1, 64))
      ->group("Measures");
  app.add_option("--crop-border", config.crop, "Cut off N pixels all round, whatever the protocol says")
      ->type_name("N")
      ->check(CLI::Range(0, 4096))
      ->group("Measures");
  app.add_flag("--json", config.json, "One JSON object a line instead of TSV")->group("Output");
  app.add_flag("--no-header", config.no_header, "No header line")->group("Output");
  sr::add_threads_option(program, config.threads);
  sr::add_batch_options(program, config.batch);
  return program.run(argc, argv, [&] { return sr::measure(program, config); });
}
