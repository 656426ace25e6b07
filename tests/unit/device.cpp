#include "infer/device.h"

#include <string>

#include "core/error.h"
// after the headers of LibTorch, whose glog has a CHECK too
#include <doctest.h>

TEST_CASE("a device's number is one that there can be") {
  CHECK(sr::parse_device("cpu").is_cpu());
  for (const char* text : {"cuda:99999999999", "cuda:300", "cuda:-1", "cuda:", "cuda:1x", "cuda1", ""}) {
    const std::string message = "--device: '" + std::string(text) + "' is none of auto, cpu, cuda, cuda:N";
    CHECK_THROWS_WITH_AS(sr::parse_device(text), message.c_str(), sr::UsageError);
  }
  CHECK_THROWS_AS(sr::parse_device("cuda:127"), sr::UsageError);  // of no machine's
}
