#pragma once
// What SeeSR's diffusion is told of pictures: tags for the prompt, RAM's embeddings for its representation
// cross-attention. From files that sr-tag wrote, or from a tagger.

#include <optional>
#include <string>

#include "cli/inputs.h"
#include "cli/tag_file.h"
#include "cli/tagger.h"

namespace sr {

struct SemanticsOptions {
  std::string tags;             ///< a file of sr-tag's rows, or "-"
  std::string embeds;           ///< a folder of sr-tag's, or a file
  std::string tagger = "dape";  ///< "dape", "ram" or "none"
  std::string dape;             ///< the tagger's file in place of the catalogue's
  bool no_hard = false;         ///< no tags in the prompt
  bool no_soft = false;         ///< no representation cross-attention
};

void add_semantics_options(Program& program, SemanticsOptions& options);

struct PictureSemantics {
  std::string tags;   ///< joined as RAM joins them; may be empty
  Tensor embeddings;  ///< [1,tokens,features]; undefined: none are shown
};

class Semantics {
 public:
  /// Reads the file of tags, if there is one, and looks for the tagger's files, where one is needed. Throws
  /// UsageError.
  Semantics(const SemanticsOptions& options, const std::string& weights, const ComputeOptions& compute);

  /// What is known of a picture beforehand. Throws Error where a file knows nothing of it.
  PictureSemantics recorded(const Input& input) const;
  /// Whether a tagger has to say more.
  bool needs_tagger() const { return needs_tags_ || needs_embeddings_; }
  /// The tagger, which needs memory as long as it lives. Throws UsageError.
  Tagger tagger() const;
  /// Adds what the tagger says of an image, RGB [1,3,H,W] in [0,1].
  void complete(PictureSemantics& semantics, Tagger& tagger, const Tensor& image) const;

 private:
  std::string recorded_tags(const Input& input) const;

  SemanticsOptions options_;
  TaggerOptions tagger_options_;
  std::optional<TagFile> tags_;
  bool needs_tags_, needs_embeddings_;
};

}  // namespace sr
