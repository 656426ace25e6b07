#include <CLI/CLI.hpp>
#include <string_view>

#include "cli/command.h"
#include "cli/correlate.h"
#include "cli/features.h"
#include "cli/fit_niqe.h"
#include "cli/iqa.h"
#include "cli/offers.h"
#include "cli/tsne.h"

namespace {

sr::ProgramInfo info() {
  return {
      "sr-iqa",
      "judge pictures without a reference: NIQE, CLIP-IQA, MUSIQ, MANIQA and others",
      "[OPTION]... IN...",
      "Prints a row for each picture and their mean. IN is a file, a folder, or - for standard input. "
      "Measures share one pass over the pictures, and one CLIP. Each number's protocol is printed with "
      "it.\n"
      "\n"
      "niqe is BasicSR's (Y of YCbCr), clipiqa the paper's ('Good photo.' against 'Bad photo.'), maniqa "
      "has KonIQ-10k's weights; --protocol seesr takes pyiqa's: Y of YIQ, five pairs of prompts, PIPAL's "
      "weights. niqe-gray is nearest to the authors' MATLAB program. sfd-iqa=FILE takes the "
      "discriminators that sr-train wrote for SFD; sfd-iqa-feat-d and sfd-iqa-tg-d are its two parts "
      "alone.\n"
      "\n"
      "A picture that a measure has no score for, such as a constant one, is an error. Networks' weights are "
      "official files: scripts/fetch-weights gets them by name. NAME=FILE takes others.",
      {{"sr-iqa photo.jpg", "Print a picture's NIQE."},
       {"sr-iqa -m niqe,clipiqa,musiq --format md results/", "Make a row of a paper's table."},
       {"sr-iqa -m clipiqa --prompt 'Sharp photo.' 'Blurry photo.' results/", "Ask CLIP something else."},
       {"sr-iqa correlate scores.tsv mos.csv", "See how far a measure agrees with people."},
       {"sr-iqa fit-niqe pristine/ -o model.safetensors && sr-iqa -m niqe=model.safetensors in.png",
        "Judge by pictures of your own."},
       {"sr-iqa features HR/ SR/ | sr-iqa tsne > map.tsv", "Map pictures by what CLIP sees in them."}},
      {sr::described(sr::correlate_program), sr::described(sr::fit_niqe_program),
       sr::described(sr::features_program), sr::described(sr::tsne_program)}};
}

void add_measure_options(sr::Program& program, sr::IqaConfig& config) {
  constexpr auto* group = "Measures";
  auto& app = program.app();
  app.add_option("-m,--measures", config.measures,
                 "What to measure, in the order of the columns (niqe): " + sr::iqa_measure_names())
      ->type_name("NAME[=FILE],...")
      ->group(group);
  program.offer("--measures", sr::several_of(sr::iqa_measure_names()));
  program
      .add_choice("--protocol", config.protocol, "original|sed|sfd|seesr",
                  "Whose niqe, clipiqa and maniqa (original)")
      ->group(group);
  app.add_option("--prompt", config.prompts, "For clipiqa, a good and a bad text; may be repeated")
      ->type_name("GOOD BAD")
      ->type_size(2)
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--crop-border", config.crop, "Cut off N pixels all round first")
      ->type_name("N")
      ->check(CLI::Range(0, 4096))
      ->group(group);
}

int score(int argc, char** argv) {
  sr::Program program(info());
  sr::IqaConfig config;
  sr::add_input_options(program, config.input);
  sr::add_max_pixels_option(program, config.max_pixels);
  add_measure_options(program, config);
  sr::add_weights_option(program, config.weights);
  sr::add_scoring_options(program, config.scoring);
  return program.run(argc, argv, [&] { return sr::judge(program, config); });
}

}  // namespace

/// A file of a command's name is scored as ./correlate.
int main(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "correlate") return sr::run_command(sr::correlate_program, sr::correlate, argc - 1, argv + 1);
  if (first == "fit-niqe")
    return sr::run_command(sr::fit_niqe_program, sr::fit_niqe_model, argc - 1, argv + 1);
  if (first == "features")
    return sr::run_command(sr::features_program, sr::print_features, argc - 1, argv + 1);
  if (first == "tsne") return sr::run_command(sr::tsne_program, sr::print_tsne, argc - 1, argv + 1);
  return score(argc, argv);
}
