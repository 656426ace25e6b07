#include <CLI/CLI.hpp>

#include "cli/degrade.h"

namespace {

sr::ProgramInfo info() {
  return {"sr-degrade",
          "make low-resolution images of high-resolution ones",
          "[OPTION]... IN... -o OUT",
          "Makes LR images for training and benchmarks. The method bicubic is MATLAB's imresize with "
          "antialiasing, by "
          "which the field's test sets were made: sides become ceil(side / scale).\n"
          "\n"
          "IN is a file, a folder, or - for standard input; OUT a file, a folder, or - for standard output.",
          {{"sr-degrade -m bicubic -s 4 HR/ -o LR/", "Make the LR half of a benchmark."},
           {"sr-upscale a.png -o - | sr-degrade -s 4 - -o back.png", "Shrink what was enlarged."}}};
}

}  // namespace

int main(int argc, char** argv) {
  sr::Program program(info());
  sr::DegradeConfig config;
  sr::add_input_options(program, config.input);
  sr::add_output_options(program, config.output);
  program.add_choice("-m,--method", config.method, "bicubic", "How the LR image is made")
      ->group("Degradation");
  program.add_number("-s,--scale", config.scale, 1, 64, "HR side divided by LR side (4)")
      ->type_name("S")

      ->group("Degradation");
  sr::add_threads_option(program, config.threads);
  sr::add_batch_options(program, config.batch);
  sr::add_max_pixels_option(program, config.max_pixels);
  return program.run(argc, argv, [&] { return sr::degrade(program, config); });
}
