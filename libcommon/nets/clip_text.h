#pragma once
// Text as CLIP's tokenizer sees it: cleaned, and cut into words.
// Held against: openai/CLIP clip/simple_tokenizer.py basic_clean, whitespace_clean, SimpleTokenizer.pat.
// Left out: ftfy.fix_text, with which CLIP begins. So mojibake, curly quotes, full-width forms, ligatures,
// decomposed accents, control characters and upper-case HTML names stay as they were written; plain ASCII
// prompts are not concerned.

#include <string>
#include <string_view>
#include <vector>

namespace sr {

/// HTML references replaced (twice), every run of white space made one space, none at the ends, lower case.
/// Throws Error where `text` is not UTF-8.
std::u32string cleaned_prompt(std::string_view text);

/// The words that are encoded one by one, in UTF-8: runs of letters, single digits, runs of other characters,
/// English contractions ('s, 't, 're, 've, 'm, 'll, 'd) and CLIP's two markers <|startoftext|>,
/// <|endoftext|>.
std::vector<std::string> prompt_words(std::u32string_view cleaned);

}  // namespace sr
