#include "cli/diffuse.h"

namespace {

sr::ProgramInfo info() {
  return {
      "sr-diffuse",
      "enlarge photographs with SeeSR: diffusion steered by what is in them",
      "[OPTION]... IN... -o OUT",
      "Enlarges pictures four times, inventing the detail that belongs there: Stable Diffusion 2, led by a "
      "ControlNet that sees the picture, by tags in the prompt and by the representation embeddings of DAPE. "
      "IN is a file, a folder, or - for standard input; OUT a file, a folder, or - for standard output.\n"
      "\n"
      "Three models are needed, as downloaded: Stable Diffusion 2 base in diffusers' layout "
      "(stable-diffusion-2-base), SeeSR's unet and controlnet (seesr), and DAPE over RAM with RAM's "
      "lists. They are looked for in --weights, $SR_WEIGHTS, $XDG_DATA_HOME/sr-tools/weights and the "
      "installed share folder. With --turbo sd-turbo takes the place of Stable Diffusion.\n"
      "\n"
      "A result depends on the seed, the picture and its name (below the folder that was given), not on "
      "other pictures, their order or shards. Tags and embeddings that sr-tag wrote give the same bytes "
      "as the tagger that runs inside: --tags and --embeds. Large pictures go through in tiles.\n"
      "\n"
      "With the defaults (50 steps, guidance 5.5, AdaIN of the colours) this is SeeSR's test_seesr.py, but "
      "for the random numbers.",
      {{"sr-diffuse photo.jpg -o big.png", "Enlarge a photograph four times."},
       {"sr-diffuse lr/ -o sr/ --skip-existing", "Enlarge a folder; run again, it resumes."},
       {"sr-tag -m dape --embeds e lr/ | sr-diffuse --tags - --embeds e lr/ -o sr/",
        "The same with the tags seen, and perhaps changed, on the way."},
       {"sr-diffuse --turbo photo.jpg -o big.png", "Two steps in place of fifty."},
       {"sr-diffuse --samples 4 photo.jpg -o out/ && sr-iqa -m clipiqa out/ | sort -k2 -gr | head -1",
        "Make four and see which is best."},
       {"sr-diffuse --print-plan photo.jpg", "See sizes, tiles, cost and memory before."}}};
}

}  // namespace

int main(int argc, char** argv) {
  sr::Program program(info());
  sr::DiffuseConfig config;
  sr::add_diffuse_options(program, config);
  return program.run(argc, argv, [&] { return sr::diffuse(program, config); });
}
