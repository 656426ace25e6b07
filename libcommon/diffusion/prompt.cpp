#include "diffusion/prompt.h"

#include <fmt/format.h>

namespace sr {

std::string seesr_prompt(std::string_view tags, std::string_view prompt, std::string_view added) {
  return fmt::format("{}, {},{}", tags, prompt, added);
}

}  // namespace sr
