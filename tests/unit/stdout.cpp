#include "core/stdout.h"

#include <array>
#include <doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/error.h"

TEST_CASE("what can't be read on its way to standard output is an error, not the end") {
  const int unreadable = ::open("/dev/null", O_WRONLY);
  CHECK_THROWS_AS(sr::copy_to_stdout(unreadable), sr::Error);
  ::close(unreadable);
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  CHECK_THROWS_AS(sr::copy_to_stdout(pipe[0]), sr::Error);  // which has no start to go back to
  for (const int end : pipe) ::close(end);
}
