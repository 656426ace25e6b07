#pragma once
// Where networks run and in which number format.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/torch.h"

namespace sr {

enum class Precision { automatic, fp32, bf16, fp16 };

/// "auto" (CUDA where there is one), "cpu", "cuda", "cuda:N". Throws UsageError.
at::Device parse_device(std::string_view text);

/// The number format for convolution and linear weights. `automatic` is bf16 on processors with AMX or
/// AVX512-BF16 and on GPUs from Ampere on, fp16 on older GPUs, else fp32.
at::ScalarType choose_type(Precision precision, const at::Device& device);

/// Bytes that programs can have without others being swapped out; nothing where the system doesn't tell.
std::optional<std::int64_t> available_memory();

/// What there is to know of the machine and the libraries, a line each: `--version -v` prints it.
std::string describe_platform();

}  // namespace sr
