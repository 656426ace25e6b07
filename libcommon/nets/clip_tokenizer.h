#pragma once
// CLIP's tokenizer: text to numbers, by byte pairs.
// Held against: openai/CLIP clip/simple_tokenizer.py SimpleTokenizer, clip/clip.py tokenize; without ftfy
// (see nets/clip_text.h).

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/files.h"
#include "core/torch.h"

namespace sr {

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
  struct Merge {
    int64_t rank;   ///< lower ones come first
    int64_t token;  ///< that the pair becomes
  };

  using Merges = std::unordered_map<std::uint64_t, Merge>;  ///< by pair
  /// Token numbers by their spelling in the file.
  using Spellings = std::unordered_map<std::string, int64_t>;
  Spellings spell_bytes();
  Merges::const_iterator best_merge(const std::vector<int64_t>& symbols) const;
  void encode_word(std::string_view word, std::vector<int64_t>& tokens) const;

  std::vector<int64_t> byte_tokens_;  ///< of each byte; 256 more where it ends a word
  Merges merges_;
};

}  // namespace sr
