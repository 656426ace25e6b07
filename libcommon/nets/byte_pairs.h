#pragma once
// Words to tokens by byte pairs, as CLIP has them: a word's bytes are tokens, and rules join neighbours into
// longer ones.
// Paper: Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", ACL 2016. Held
// against: openai/CLIP clip/simple_tokenizer.py bytes_to_unicode, SimpleTokenizer.bpe.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sr {

/// What a token's spelling ends with where the token ends a word.
inline constexpr const char* kWordEnd = "</w>";

/// How vocabularies spell each byte: a visible one as its Latin-1 character, the others, in their order, as
/// those from U+0100 on.
std::array<std::string, 256> byte_spellings();

/// The spellings of two tokens that become one.
using MergeRule = std::array<std::string, 2>;

/// The rules of a file, `count` at most: one a line, below the line that heads them.
std::vector<MergeRule> merge_rules(std::string_view text, size_t count);

class BytePairs {
 public:
  /// Token numbers, of 32 bits, by their spelling.
  using Spellings = std::unordered_map<std::string, int64_t>;

  /// The first rules come first. `spellings` has all bytes, alone and with `kWordEnd`. Throws Error
  /// "`source`: ..." where a rule joins or makes what `spellings` lacks.
  BytePairs(const Spellings& spellings, const std::vector<MergeRule>& rules, const std::string& source);

  /// Appends the tokens of a word that isn't empty.
  void encode(std::string_view word, std::vector<int64_t>& tokens) const;

 private:
  struct Merge {
    size_t rank;    ///< lower ones come first
    int64_t token;  ///< that the pair becomes
  };

  using Merges = std::unordered_map<std::uint64_t, Merge>;  ///< by pair
  Merges::const_iterator best_merge(const std::vector<int64_t>& symbols) const;

  std::array<int64_t, 256> within_words_, at_ends_;  ///< the tokens of each byte
  Merges merges_;
};

}  // namespace sr
