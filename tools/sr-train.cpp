#include <CLI/CLI.hpp>
#include <string_view>

#include "cli/train.h"

namespace {

int train(const char* kind, int argc, char** argv) {
  sr::TrainOptions options;
  const auto program = sr::train_program(kind, options);
  return program->run(argc, argv, [&] { return sr::train(*program, options); });
}

sr::Subcommand command(const char* kind) {
  sr::TrainOptions options;
  return sr::train_program(kind, options)->subcommand();
}

sr::ProgramInfo info() {
  return {
      "sr-train",
      "train super-resolution networks, DAPE, and SeeSR",
      "COMMAND ...",
      "Trains networks for fidelity (psnr), or against discriminators (gan): SeD's, SFD's, LDL's, "
      "ESRGAN's and Real-ESRGAN's ways are presets. dape trains what SeeSR sees pictures' contents by, "
      "seesr its diffusion. Runs can be stopped at any moment and resumed.",
      {{"sr-train psnr --config srvgg --data DIV2K/HR --validate Set5/HR -o run/", "Train a small network."},
       {"sr-train gan --config sed-p --data DF2K/HR -o sed/", "Train as SeD does."},
       {"sr-train dape --config dape --data COCO/train2017 -o dape/", "Train DAPE from RAM."},
       {"sr-train seesr --config seesr --data LSDIR -o seesr/", "Train SeeSR."}},
      {command("psnr"), command("gan"), command("dape"), command("seesr")}};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "psnr" || first == "gan" || first == "dape" || first == "seesr")
    return train(argv[1], argc - 1, argv + 1);
  sr::Program program(info());
  return program.run(
      argc, argv, []() -> sr::ExitStatus { throw sr::UsageError("name a command: psnr, gan, dape, seesr"); });
}
