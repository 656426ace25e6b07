#include "weights/hostile_calls.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string_view>

#include "core/error.h"

namespace sr {
namespace {

bool is_hostile(const pickle::Global& function) {
  constexpr std::array<std::string_view, 15> modules{
      "os",    "posix",  "nt",        "subprocess", "commands", "sys",     "shutil",    "socket",
      "runpy", "ctypes", "importlib", "pty",        "code",     "asyncio", "webbrowser"};
  constexpr std::array<std::string_view, 6> functions{"eval",    "exec",       "execfile",
                                                      "compile", "__import__", "open"};
  const bool builtin = function.module == "builtins" || function.module == "__builtin__";
  const std::string_view package = function.module.substr(0, function.module.find('.'));
  return std::ranges::find(modules, package) != modules.end() ||
         (builtin && std::ranges::find(functions, function.name) != functions.end());
}

}  // namespace

void refuse_hostile_calls(const pickle::Document& document) {
  for (const pickle::Object& object : document.objects) {
    if (object.type && is_hostile(*object.type)) {
      throw Error(fmt::format("it would call {} when opened in Python: refused, nothing of it was run",
                              object.type->dotted()));
    }
  }
}

}  // namespace sr
