// What stands in bin/ under a program's name. The programs take a third of a second to load LibTorch; this
// one gives at once the answers that need none of it (help, version, man page, completions), as the program
// itself gave them when it was built, and becomes the program for everything else.

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <unistd.h>

namespace {

using namespace std::string_view_literals;

struct Answer {
  std::string_view arguments;  ///< parted by NUL
  std::string_view text;
};

constexpr Answer kAnswers[] = {
#include SR_ANSWERS
};

constexpr int kNothingCouldStart = 2;

std::string joined(int argc, char** argv) {
  std::string arguments;
  for (int i = 1; i < argc; i++) {
    if (i > 1) arguments += '\0';
    arguments += argv[i];
  }
  return arguments;
}

/// Empty where only the program knows.
std::string_view answer_to(std::string_view arguments) {
  for (const auto& answer : kAnswers) {
    if (answer.arguments == arguments) return answer.text;
  }
  return {};
}

bool print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

/// Where this file is, with a slash; empty where the system doesn't tell.
std::string own_folder() {
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
  const std::string_view file(path, size < 0 ? 0 : static_cast<size_t>(size));
  return std::string(file.substr(0, file.rfind('/') + 1));
}

}  // namespace

int main(int argc, char** argv) {
  const auto text = answer_to(joined(argc, argv));
  // where it can't be written, the program says so
  if (!text.empty() && print(text)) return 0;
  const auto folder = own_folder();
  if (folder.empty()) {
    std::fprintf(stderr, SR_PROGRAM ": error: /proc/self/exe can't be read: %s\n", std::strerror(errno));
    return kNothingCouldStart;
  }
  auto tried = folder + SR_BIN_TO_PROGRAMS "/" SR_PROGRAM;
  ::execv(tried.c_str(), argv);
  if (errno == ENOENT) {
    const auto built = folder + "libexec/" SR_PROGRAM;
    ::execv(built.c_str(), argv);
    if (errno != ENOENT) tried = built;
  }
  std::fprintf(stderr, SR_PROGRAM ": error: %s: %s\n", tried.c_str(), std::strerror(errno));
  return kNothingCouldStart;
}
