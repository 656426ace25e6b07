#pragma once
// CLIP's tokenizer: text to numbers, by byte pairs.
// Held against: openai/CLIP clip/simple_tokenizer.py SimpleTokenizer, clip/clip.py tokenize; without ftfy
// (see nets/clip_text.h).

#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/torch.h"
#include "nets/byte_pairs.h"

namespace sr {

/// The merge rules of bpe_simple_vocab_16e6.txt.gz, those that CLIP takes. Throws Error.
std::vector<MergeRule> clip_merge_rules(const fs::path& vocabulary);

/// The tokens around a text's own.
struct TokenMarks {
  int64_t start, end;
  int64_t padding = 0;
};

/// A row of `length` numbers (int64): start, as many of the tokens as fit, end, padding.
Tensor token_row(const std::vector<int64_t>& tokens, const TokenMarks& marks, int64_t length);

class ClipTokenizer {
 public:
  static constexpr int64_t context_length = 77;
  static constexpr int64_t start = 49406, end = 49407;  ///< <|startoftext|>, <|endoftext|>

  /// Reads bpe_simple_vocab_16e6.txt.gz. Throws Error.
  explicit ClipTokenizer(const fs::path& vocabulary);

  /// A text's tokens, without start and end. Throws Error where it is not UTF-8.
  std::vector<int64_t> encode(std::string_view text) const;

  enum class TooLong { fail, cut };
  /// One row of `context_length` numbers (int64) for each text: start, tokens, end, zeros. A text that is too
  /// long is an Error, or is cut and keeps its end token.
  Tensor tokenize(const std::vector<std::string>& texts, TooLong too_long = TooLong::fail) const;

 private:
  BytePairs pairs_;
};

}  // namespace sr
