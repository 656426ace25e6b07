#include <CLI/CLI.hpp>

#include "cli/offers.h"
#include "cli/upscale.h"

namespace {

sr::ProgramInfo info() {
  return {
      "sr-upscale",
      "enlarge and restore photographs with super-resolution networks",
      "[OPTION]... IN... -o OUT",
      "Runs a super-resolution network over pictures of any format that libvips reads and writes them "
      "enlarged. IN is a file, a folder, or - for standard input; OUT a file, a folder, or - for standard "
      "output. Without -m the bundled model enlarges four times.\n"
      "\n"
      "Checkpoints work as downloaded: RRDBNet (ESRGAN, Real-ESRGAN, BSRGAN), SRVGGNetCompact, SwinIR, "
      "EDSR, MSRResNet, NAFNet, and Se-RRDB as sr-train exports it, are told apart by their tensors. "
      "Names of the catalogue are looked for in --weights, $SR_WEIGHTS, $XDG_DATA_HOME/sr-tools/weights "
      "and the installed share folder; scripts/fetch-weights gets them. bicubic is MATLAB's bicubic "
      "interpolation, the first row of every table.\n"
      "\n"
      "Orientation is applied, colours are converted to sRGB, depth, greyness, transparency and metadata "
      "are kept. Pictures larger than memory stream through in tiles. A result appears under its name "
      "only when it is complete.",
      {{"sr-upscale photo.jpg -o big.png", "Enlarge a photograph four times."},
       {"sr-upscale -r album/ -o big/ --skip-existing",
        "Enlarge a tree of photographs; run again, it resumes."},
       {"sr-upscale -m RealESRGAN_x4plus.pth in.png -o 'out.jpg[Q=92]'",
        "Use a checkpoint as downloaded, and choose the JPEG quality."},
       {"sr-upscale -m realesr-general-x4v3 --denoise 0.5 noisy.jpg -o out.png", "Remove half of the noise."},
       {"sr-upscale --scale 2 photo.jpg -o double.png",
        "Enlarge twice with a network that enlarges four times."},
       {"cat a.jpg | sr-upscale - -o - | sr-metrics -m psnr,ssim - a_hr.png", "Stand in a pipeline."},
       {"sr-upscale album/ -o big/ --preview look.html", "See what the network did, beside bicubic."},
       {"sr-upscale --summary -m RealESRGAN_x4plus", "Print a network's size."}}};
}

}  // namespace

int main(int argc, char** argv) {
  sr::Program program(info());
  sr::UpscaleConfig config;
  sr::add_input_options(program, config.input);
  sr::add_output_options(program, config.output);
  auto& app = program.app();
  app.add_option("--preview", config.preview,
                 "Then show the middle of each picture before (bicubic) and after: a page with a slider "
                 "(FILE.html), or a sheet with a row for each of the first 16 (FILE.png)")
      ->type_name("FILE")
      ->group("Output");
  sr::add_model_options(program, config.model);
  program
      .add_number("--scale", config.scale, 0.01, 100,
                  "Enlarge by S, whatever the network does: its result is resized bicubically")
      ->type_name("S")
      ->group("Model");
  app.add_flag("--tta", config.tta,
               "Mean over eight flips and turns of the input: a little better, eight times slower")
      ->group("Model");
  app.add_flag("--summary", config.summary,
               "Print the model's parameters, multiply-adds and receptive field, and exit")
      ->group("Model");
  sr::add_compute_options(program, config.compute);
  app.add_option("--tile", config.tile,
                 "Side of the tiles in input pixels; auto: as memory allows; 0: no tiles")
      ->type_name("N|auto")
      ->group("Computation");
  program.offer("--tile", sr::choice_of({"auto", "0"}));
  app.add_option("--tile-pad", config.tile_pad,
                 "Pixels that a tile sees beyond its own, and no mixing with its neighbours, as Real-ESRGAN; "
                 "default: what the network looks at")
      ->type_name("N")
      ->check(CLI::Range(0, 4096))
      ->group("Computation");
  sr::add_batch_options(program, config.batch);
  sr::add_max_pixels_option(program, config.max_pixels);
  return program.run(argc, argv, [&] { return sr::upscale(program, config); });
}
