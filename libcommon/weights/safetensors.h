#pragma once
// The safetensors format: 8 bytes of header length, a JSON header, the tensors' bytes.
// https://github.com/huggingface/safetensors

#include <map>
#include <string>

#include "core/files.h"
#include "weights/mapped_file.h"
#include "weights/state_dict.h"

namespace sr {

struct Safetensors {
  StateDict tensors;
  std::map<std::string, std::string> metadata;  ///< the header's `__metadata__`
};

/// Maps the file and returns tensors that view it (copy on write; they keep the mapping alive).
/// Throws Error where the header or an offset is out of order, overlapping, or beyond the file.
Safetensors read_safetensors(const fs::path& path);

/// The same of bytes in memory; errors name no file.
Safetensors read_safetensors(const SharedBytes& file);

/// Writes atomically (temporary, fsync, rename). Tensors may be on any device and of any layout.
void write_safetensors(const fs::path& path, const StateDict& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace sr
