#pragma once
// RAM or DAPE ready to run: from the options to the network, its tag list, and what they say of pictures.

#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"
#include "core/pipeline.h"
#include "nets/ram.h"
#include "tagging/tags.h"

namespace sr {

struct TaggerOptions {
  std::string model = "dape";  ///< a name of the catalogue or a file: RAM, or DAPE to lay over RAM
  std::string weights;         ///< a folder searched first
  std::string language = "en";
  int batch = 4;  ///< images in one forward pass
  ComputeOptions compute;
};

void add_tagger_options(Program& program, TaggerOptions& options);

/// What the network says of one picture, float32 on the CPU.
struct TaggedPicture {
  Tensor probabilities;  ///< [tags]
  Tensor embeddings;     ///< [1, 1 + tokens, features]: what SeeSR's diffusion is shown
};

class Tagger {
 public:
  /// Throws UsageError: without network and tag list nothing can start.
  explicit Tagger(const TaggerOptions& options);

  const TagList& tags() const { return tags_; }
  /// An image [1,3,H,W], RGB in [0,1], as the network takes it. Safe from several threads.
  Tensor input(const Tensor& image) const;
  /// Such inputs, one below the other, in one forward pass; in parts where memory runs out. Safe from several
  /// threads, one of which runs at a time. A picture's values may be not finite.
  std::vector<TaggedPicture> operator()(const Tensor& inputs);

 private:
  std::vector<TaggedPicture> forward(const Tensor& inputs) const;

  std::shared_ptr<Ram> ram_;
  TagList tags_;
  at::Device device_;
  Stage stage_;  ///< LibTorch's pools belong to the thread that calls
};

}  // namespace sr
