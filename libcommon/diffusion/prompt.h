#pragma once
// What SeeSR's text encoder reads. Source: cswry/SeeSR test_seesr.py (@8edecc7).

#include <string>
#include <string_view>

namespace sr {

constexpr std::string_view kSeesrAddedPrompt = "clean, high-resolution, 8k";
constexpr std::string_view kSeesrNegativePrompt = "dotted, noise, blur, lowres, smooth";

/// "bird, tree, a garden,clean, high-resolution, 8k": the tags as RAM joins them, the user's own words, what
/// is added to every picture's. Parts may be empty; their commas stay.
std::string seesr_prompt(std::string_view tags, std::string_view prompt, std::string_view added);

}  // namespace sr
