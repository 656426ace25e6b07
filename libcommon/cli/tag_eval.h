#pragma once
// What sr-tag eval does.

#include <memory>

#include "cli/tag_choice.h"
#include "cli/tagged_files.h"

namespace sr {

struct TagEvalConfig {
  std::string truth;        ///< labels, or COCO's annotations
  std::string predictions;  ///< what sr-tag printed; empty: of `input`
  std::string synonyms;     ///< other words for classes
  bool by_class = false;
  InputOptions input;
  BatchOptions batch{"", 3};
  TaggerOptions tagger;
  double threshold = -1;  ///< as TagChoice's
  std::int64_t max_pixels = kMaxPixels;
  TableOptions table;
};

/// `sr-tag eval`, with its options, which fill `config`.
std::unique_ptr<Program> tag_eval_program(TagEvalConfig& config);

/// Prints OP, OR and AP over all classes of the truth, and for each with --by-class. Pictures are matched as
/// `match_names` does; those without labels are told and left out.
ExitStatus evaluate_tags(Program& program, const TagEvalConfig& config);

}  // namespace sr
