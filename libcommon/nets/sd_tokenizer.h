#pragma once
// Stable Diffusion 2's tokenizer: prompts to numbers, by CLIP's byte pairs.
// Held against: huggingface/transformers src/transformers/models/clip/tokenization_clip.py CLIPTokenizer,
// src/transformers/tokenization_utils.py PreTrainedTokenizer.tokenize (v4.25), with SD2's
// special_tokens_map.json; without ftfy, as SeeSR installs it.

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/torch.h"
#include "nets/byte_pairs.h"

namespace sr {

/// The words of a text as BERT's BasicTokenizer has them, a space between them: control and unassigned
/// characters dropped, CJK ideographs and punctuation each alone, lower case, accents stripped.
std::u32string basic_words(std::u32string_view text);

class SdTokenizer {
 public:
  static constexpr int64_t context_length = 77;

  /// Reads vocab.json and merges.txt in `folder`. Throws Error that names the file.
  explicit SdTokenizer(const fs::path& folder);

  /// A text's tokens, without start and end. What spells a special token (<|startoftext|>, <|endoftext|>, and
  /// "!", with which SD2 pads) is that token. Throws Error where the text is not UTF-8.
  std::vector<int64_t> encode(std::string_view text) const;

  /// [N,context_length] numbers (int64): start, tokens, end, padding. A text that is too long is cut.
  Tensor tokenize(const std::vector<std::string>& texts) const;

 private:
  struct Special {
    std::string_view text;
    int64_t token;
  };
  const Special* special_at(std::string_view text) const;
  void encode_plain(std::string_view text, std::vector<int64_t>& tokens) const;

  SdTokenizer(const fs::path& folder, const BytePairs::Spellings& spellings);

  std::array<Special, 3> specials_;  ///< start, end, padding
  BytePairs pairs_;
};

}  // namespace sr
