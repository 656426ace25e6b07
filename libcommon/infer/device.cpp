#include "infer/device.h"

#include <algorithm>
#include <array>
#include <dlfcn.h>
#include <fmt/format.h>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>
#include <torch/version.h>
#include <vips/vips.h>

#include "core/error.h"
#include "core/files.h"
#include "core/processor.h"
#include "infer/amx_conv.h"

namespace sr {
namespace {

int cuda_major(int index) {
  // asked of the CUDA runtime that LibTorch brought along, so that this builds against CPU builds too
  constexpr int kComputeCapabilityMajor = 75;
  using Query = int (*)(int*, int, int);
  const auto query = reinterpret_cast<Query>(::dlsym(RTLD_DEFAULT, "cudaDeviceGetAttribute"));
  int major = 0;
  return query != nullptr && query(&major, kComputeCapabilityMajor, index) == 0 ? major : 0;
}

std::string first_line_with(const std::string& text, std::string_view key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find(key);
    if (at != std::string::npos) return line.substr(at);
  }
  return "none";
}

std::string cpu_field(std::string_view key) {
  std::ifstream info("/proc/cpuinfo");
  std::ostringstream text;
  text << info.rdbuf();
  const auto line = first_line_with(text.str(), key);
  const size_t colon = line.find(": ");
  return colon == std::string::npos ? "unknown" : line.substr(colon + 2);
}

/// The instruction sets that matter here, of all that the kernel lists.
std::string cpu_features() {
  std::istringstream flags(cpu_field("flags"));
  std::string found;
  for (std::string flag; flags >> flag;) {
    const std::array<std::string_view, 6> wanted{"avx2",        "fma",      "avx512f",
                                                 "avx512_bf16", "amx_tile", "amx_bf16"};
    if (std::find(wanted.begin(), wanted.end(), flag) != wanted.end()) found += flag + " ";
  }
  return found;
}

/// The library that BLAS calls end in, and its own word on its version where it has one.
std::string blas_library() {
  const void* gemm = ::dlsym(RTLD_DEFAULT, "sgemm_");
  Dl_info where{};
  if (gemm == nullptr || ::dladdr(gemm, &where) == 0) return "built in";
  using Config = const char* (*)();
  const auto config = reinterpret_cast<Config>(::dlsym(RTLD_DEFAULT, "openblas_get_config"));
  const fs::path file = fs::canonical(where.dli_fname);
  return fmt::format("{} ({})",
                     config ? config() : "reference BLAS, 20 times slower: install libopenblas0-pthread",
                     file.string());
}

/// The N of "cuda:N", and 0 of "cuda".
std::optional<long> cuda_index(std::string_view text) {
  constexpr std::string_view numbered = "cuda:";
  if (text == "cuda") return 0;
  if (!text.starts_with(numbered)) return std::nullopt;
  return parse_number(text.substr(numbered.size()), 0, std::numeric_limits<c10::DeviceIndex>::max());
}

}  // namespace

at::Device parse_device(std::string_view text) {
  const bool has_cuda = at::hasCUDA();
  if (text == "auto") return has_cuda ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  if (text == "cpu") return at::kCPU;
  const auto index = cuda_index(text);
  if (!index) throw UsageError(fmt::format("--device: '{}' is none of auto, cpu, cuda, cuda:N", text));
  if (!has_cuda) throw UsageError("--device cuda: this LibTorch or machine has no CUDA");
  const int devices = at::detail::getCUDAHooks().getNumGPUs();
  if (*index >= devices)
    throw UsageError(fmt::format("--device {}: there are {}, counted from 0", text, devices));
  return {at::kCUDA, static_cast<c10::DeviceIndex>(*index)};
}

at::ScalarType choose_type(Precision precision, const at::Device& device) {
  switch (precision) {
    case Precision::fp32: return at::kFloat;
    case Precision::bf16: return at::kBFloat16;
    case Precision::fp16:
      if (device.is_cpu())
        throw UsageError("--precision fp16: LibTorch has no fp16 convolutions on processors; try bf16");
      return at::kHalf;
    case Precision::automatic: break;
  }
  if (device.is_cpu()) return has_bfloat16() ? at::kBFloat16 : at::kFloat;
  return cuda_major(device.index()) >= 8 ? at::kBFloat16 : at::kHalf;
}

std::optional<std::int64_t> available_memory() {
  std::ifstream facts("/proc/meminfo");
  std::string name, unit;
  std::int64_t kilobytes = 0;
  while (facts >> name >> kilobytes && std::getline(facts, unit)) {
    if (name == "MemAvailable:") return kilobytes * 1024;
  }
  return std::nullopt;
}

std::string describe_platform() {
  const auto config = at::show_config();
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    text += fmt::format("{:<10}{}\n", name, value);
  };
  line("LibTorch", fmt::format("{}.{}.{}", TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR, TORCH_VERSION_PATCH));
  line("oneDNN", first_line_with(config, "v"));
  line("libvips", vips_version_string());
  line("BLAS", blas_library());
  line("threads",
       fmt::format("{} of {} processors", available_processors(), std::thread::hardware_concurrency()));
  line("CPU", fmt::format("{}: {}{}", cpu_field("model name"), cpu_features(),
                          amx::available() ? "(AMX in use)" : ""));
  line("CUDA", at::hasCUDA() ? fmt::format("{} device(s)", at::detail::getCUDAHooks().getNumGPUs()) : "none");
  return text;
}

}  // namespace sr
