#include <CLI/CLI.hpp>
#include <string_view>

#include "cli/command.h"
#include "cli/metrics.h"
#include "cli/offers.h"
#include "cli/pair_measures.h"
#include "cli/study.h"
#include "cli/votes.h"

namespace {

sr::ProgramInfo info() {
  return {
      "sr-metrics",
      "compare pictures with their references: PSNR, SSIM, LPIPS, DISTS, FID",
      "[OPTION]... A B",
      "Compares picture A with picture B, its reference, or every picture in folder A with the one of the "
      "same name in folder B, and prints a row for each and the mean. One side may be - for standard "
      "input. Files without a partner are errors, and so are sizes that differ, unless --align crop cuts "
      "both to what they share from the top left.\n"
      "\n"
      "Each number's protocol is printed with it. --protocol says what PSNR and SSIM compare: rgb all "
      "three colours over the whole picture; sr-y, and sed and sfd by which those papers measure, Y of "
      "YCbCr without a border of the scale (BasicSR); seesr Y of the whole picture as pyiqa does (SSIM of "
      "rounded Y, equal pictures 80 dB); matlab Y rounded to integers, each picture's by itself, without "
      "that border, as MATLAB scripts do: a grey A, made from Y alone, then compares with a coloured B. "
      "Networks see whole RGB pictures.\n"
      "\n"
      "A shard (--shard) prints its rows without a mean. fid is of all pictures together, and stands in "
      "the last row. Alone, its sides are folders of any numbers of pictures, or statistics (.npz) that "
      "--save-stats or pytorch-fid wrote.\n"
      "\n"
      "Networks' weights are official files: scripts/fetch-weights gets them by name. NAME=FILE takes "
      "others.",
      {{"sr-metrics out.png reference.png", "Compare two pictures."},
       {"sr-metrics --protocol sed --scale 4 -m psnr,ssim,lpips --format md results/ Set5/HR/",
        "Make a row of a paper's table."},
       {"sr-metrics --report page.html results/ Set5/HR/", "See where they differ, too."},
       {"sr-metrics -m fid --save-stats real.npz photos/", "Keep a set's statistics for FID."},
       {"sr-metrics -m fid results/ real.npz", "Compare another set with them."},
       {"sr-metrics --pairs pairs.tsv --json", "Compare the pairs of a list, with results for programs."},
       {"sr-metrics study --reference LR/ ours/ theirs/ -o study.html", "Ask people which they like best."}},
      {sr::described(sr::study_program), sr::described(sr::votes_program)}};
}

void add_pair_options(sr::Program& program, sr::MetricsConfig& config) {
  constexpr auto* group = "Input";
  auto& app = program.app();
  app.add_option("sides", config.sides, "Two pictures or two folders");
  app.add_option("--pairs", config.pairs,
                 "Read pairs of names from FILE (-: standard input), parted by a tab")
      ->type_name("FILE")
      ->group(group);
  app.add_flag("-r,--recursive", config.recursive, "Descend into folders")->group(group);
  program
      .add_choice(
          "--align", config.align, "none|crop",
          "What to do with sizes that differ: none: an error; crop: compare what both have from the top "
          "left")
      ->group(group);
  sr::add_max_pixels_option(program, config.max_pixels);
}

void add_measure_options(sr::Program& program, sr::MetricsConfig& config) {
  constexpr auto* group = "Measures";
  auto& app = program.app();
  app.add_option("-m,--metrics", config.metrics,
                 "What to measure, in the order of the columns (psnr,ssim): " + sr::pair_measure_names())
      ->type_name("NAME[=FILE],...")
      ->group(group);
  program.offer("--metrics", sr::several_of(sr::pair_measure_names()));
  program
      .add_choice("--protocol", config.protocol, "rgb|sr-y|sed|sfd|seesr|matlab",
                  "What PSNR and SSIM compare (rgb)")
      ->group(group);
  app.add_option("--scale", config.scale,
                 "The scale of the results, which is the border of most protocols (4)")
      ->type_name("S")
      ->check(CLI::Range(1, 64))
      ->group(group);
  app.add_option("--crop-border", config.crop, "Cut off N pixels all round, whatever the protocol says")
      ->type_name("N")
      ->check(CLI::Range(0, 4096))
      ->group(group);
  program
      .add_choice(
          "--fid-resize", config.fid_resize, "legacy|clean",
          "How FID brings pictures to 299x299: as pytorch-fid, or as clean-fid (legacy; seesr: clean)")
      ->group(group);
  app.add_option("--save-stats", config.save_stats,
                 "With -m fid and one folder: write its statistics to FILE")
      ->type_name("FILE.npz")
      ->group(group);
}

int measure(int argc, char** argv) {
  sr::Program program(info());
  sr::MetricsConfig config;
  add_pair_options(program, config);
  add_measure_options(program, config);
  sr::add_weights_option(program, config.weights);
  sr::add_scoring_options(program, config.scoring);
  return program.run(argc, argv, [&] { return sr::measure(program, config); });
}

}  // namespace

/// A folder of a command's name is compared as ./study.
int main(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "study") return sr::run_command(sr::study_program, sr::make_study, argc - 1, argv + 1);
  if (first == "votes") return sr::run_command(sr::votes_program, sr::count_votes, argc - 1, argv + 1);
  return measure(argc, argv);
}
