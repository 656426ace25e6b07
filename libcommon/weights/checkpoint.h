#pragma once
// Checkpoints as downloaded, whatever their container.

#include "core/files.h"
#include "weights/mapped_file.h"
#include "weights/state_dict.h"

namespace sr {

/// The network tensors of a checkpoint file: safetensors, PyTorch zip, PyTorch legacy or TorchScript archive,
/// or NumPy's .npz, told apart by their first bytes. Wrappers come off by rule (`params_ema` before `params`,
/// `state_dict`, `model`, ...; a `module.` in front of every key). Throws Error.
StateDict load_checkpoint(const fs::path& path);

/// The same of a file's bytes in memory; errors name no file.
StateDict read_checkpoint(const SharedBytes& file);

}  // namespace sr
