#pragma once
// Representation embeddings as files, which SeeSR's diffusion takes: safetensors with one tensor
// `image_embeds`, float32 [1, 1 + tokens, features] ([1,145,512] of the official RAM), and in the metadata
// the picture (`file`), the network (`model`) and the tags (`tags`), joined by ", ".

#include <string>
#include <vector>

#include "cli/inputs.h"
#include "core/torch.h"

namespace sr {

/// Where the embeddings of each input go: `output` itself where it ends in .safetensors and there is one
/// input, else its place below the folder `output`, with that extension. Folders are made. Throws UsageError
/// where several would go into one file.
std::vector<fs::path> embedding_targets(const Inputs& inputs, const std::string& output);

/// Throws UsageError where several inputs would have the one file.
void check_embeddings_place(const Inputs& inputs, const std::string& folder_or_file);

/// Where those of an input are, as `embedding_targets` has it. Makes nothing.
fs::path embedding_of(const Input& input, const std::string& folder_or_file);

/// What `write_embedding` wrote: float32 [1,tokens,features]. Throws Error that names the file.
Tensor read_embedding(const fs::path& file);

struct EmbeddingFacts {
  std::string file, model, tags;
};

/// Written whole or not at all.
void write_embedding(const fs::path& target, const Tensor& embedding, const EmbeddingFacts& facts);

}  // namespace sr
