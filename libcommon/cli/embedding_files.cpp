#include "cli/embedding_files.h"

#include <fmt/format.h>
#include <map>

#include "weights/safetensors.h"

namespace sr {
namespace {

constexpr auto* kExtension = ".safetensors";
constexpr auto* kTensor = "image_embeds";

bool names_file(const std::string& output) {
  return fs::path(output).extension() == kExtension && !is_folder(output);
}

void check_distinct(const std::vector<Input>& files, const std::vector<fs::path>& targets) {
  std::map<fs::path, size_t> taken;
  for (size_t i = 0; i < targets.size(); ++i) {
    const auto [at, free] = taken.emplace(targets[i], i);
    if (free) continue;
    throw UsageError(fmt::format("--embeds: those of {} and {} would both be written to {}",
                                 printable(files[at->second].path.string()),
                                 printable(files[i].path.string()), printable(targets[i].string())));
  }
}

}  // namespace

void check_embeddings_place(const Inputs& inputs, const std::string& folder_or_file) {
  const bool several = inputs.from_folder || inputs.files.size() + inputs.missing.size() > 1;
  if (!several || !names_file(folder_or_file)) return;
  throw UsageError(
      fmt::format("--embeds: several pictures need a folder, and {} is a file", printable(folder_or_file)));
}

std::vector<fs::path> embedding_targets(const Inputs& inputs, const std::string& output) {
  std::vector<fs::path> targets;
  check_embeddings_place(inputs, output);
  if (names_file(output)) {
    targets.assign(inputs.files.size(), output);
  } else {
    for (const auto& input : inputs.files) targets.push_back(embedding_of(input, output));
  }
  check_distinct(inputs.files, targets);
  for (const auto& target : targets) needed_to_start([&] { make_folders(target.parent_path()); });
  return targets;
}

fs::path embedding_of(const Input& input, const std::string& folder_or_file) {
  if (names_file(folder_or_file)) return folder_or_file;
  return (fs::path(folder_or_file) / input.relative).replace_extension(kExtension);
}

Tensor read_embedding(const fs::path& file) {
  const auto tensors = read_safetensors(file).tensors;
  const auto found = tensors.find(kTensor);
  if (found == tensors.end() || found->second.dim() != 3 || found->second.size(0) != 1) {
    throw Error(fmt::format("{}: holds no embeddings of a picture ({} [1,tokens,features], as sr-tag writes)",
                            printable(file.string()), kTensor));
  }
  return found->second.to(at::kFloat).clone();
}

void write_embedding(const fs::path& target, const Tensor& embedding, const EmbeddingFacts& facts) {
  write_safetensors(target, {{kTensor, embedding}},
                    {{"file", facts.file}, {"model", facts.model}, {"tags", facts.tags}});
}

}  // namespace sr
