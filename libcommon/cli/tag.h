#pragma once
// What sr-tag does: names what is in pictures.

#include "cli/tag_choice.h"
#include "cli/tagged_files.h"

namespace sr {

struct TagConfig {
  InputOptions input;
  BatchOptions batch;
  TaggerOptions tagger;
  TagChoice choice;
  bool scores = false, json = false, no_header = false;
  std::string embeds;  ///< a file or a folder for representation embeddings; empty: none
  std::int64_t max_pixels = kMaxPixels;
};

/// What `sr-tag IN...` takes.
void add_tag_options(Program& program, TagConfig& config);

/// Prints the tags of every picture, and writes its embeddings.
ExitStatus tag(Program& program, const TagConfig& config);

}  // namespace sr
