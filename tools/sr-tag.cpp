#include <string_view>

#include "cli/command.h"
#include "cli/tag.h"
#include "cli/tag_eval.h"

namespace {

sr::ProgramInfo info() {
  return {
      "sr-tag",
      "name what is in pictures, degraded ones too: RAM and DAPE",
      "[OPTION]... IN...",
      "Prints a row for each picture: its name, a tab, and its tags, parted by commas, in the order of RAM's "
      "list. IN is a file, a folder, or - for standard input. RAM (Recognize Anything) knows 4585 tags; DAPE "
      "is RAM that learnt to say of degraded pictures what RAM says of sharp ones, as SeeSR uses it.\n"
      "\n"
      "Checkpoints work as downloaded. Tag lists and thresholds are files among the weights: "
      "ram_tag_list.txt, ram_tag_list_chinese.txt, ram_tag_list_threshold.txt. scripts/fetch-weights ram "
      "dape ram-tags ram-thresholds gets what can be had by a program.\n"
      "\n"
      "A tag is there if its probability is above its threshold. Pictures are resized to the network's "
      "384x384, proportions are not kept. --embeds writes what SeeSR's diffusion is shown beside the tags: "
      "safetensors with image_embeds, [1,145,512] float32.",
      {{"sr-tag -m dape photo.jpg", "Print a picture's tags."},
       {"sr-tag --scores --top 10 --no-header photo.jpg", "Print the ten most probable tags."},
       {"sr-tag -m dape --embeds embeds/ lr/ > tags.tsv", "Make all that SeeSR asks of DAPE."},
       {"sr-tag eval -m dape --truth instances_val2017.json --synonyms coco.tsv val2017/",
        "See how many tags are right."}},
      {sr::described(sr::tag_eval_program)}};
}

int tag(int argc, char** argv) {
  sr::Program program(info());
  sr::TagConfig config;
  sr::add_tag_options(program, config);
  return program.run(argc, argv, [&] { return sr::tag(program, config); });
}

}  // namespace

/// A file of a command's name is tagged as ./eval.
int main(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "eval") return sr::run_command(sr::tag_eval_program, sr::evaluate_tags, argc - 1, argv + 1);
  return tag(argc, argv);
}
