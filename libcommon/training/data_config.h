#pragma once
// What a training run is told of its data.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/files.h"

namespace sr {

struct TrainingSource {
  std::vector<fs::path> hr;  ///< folders, which are descended, or files
  /// Paired: one for each of `hr`, with the same names below (another extension, or DIV2K's "x4" after the
  /// name, counts as the same). Empty: LR pictures are made of the HR ones.
  std::vector<fs::path> lr;
  double weight = 1;  ///< samples come from the sources in proportion to these
  /// Captions: a folder for each of `hr`, with a text file (.txt) of every picture's name. Empty: none.
  std::vector<fs::path> tags = {};
};

struct DataConfig {
  std::vector<TrainingSource> sources;
  int scale = 4;   ///< HR side / LR side
  int crop = 128;  ///< HR pixels a side, a multiple of the scale
  int batch = 16;  ///< samples an iteration, of all ranks together

  std::string degradation = "bicubic";  ///< a preset's name or a .toml file
  fs::path presets;                     ///< the folder of degrade-NAME.toml
  /// HR pixels by which the square that is degraded exceeds the crop, which is then cut out of it anywhere,
  /// so that borders leave no traces (as far as the picture reaches; nothing is padded). -1: as the official
  /// loaders have it, see official_margin. Bicubic LR crops need none.
  int margin = -1;
  /// Pictures are shown whole, whatever their sizes: resized to a square of `crop` pixels a side, the LR one
  /// too (see SampleMaker).
  bool whole = false;
  /// As SeeSR's ControlNet is shown them, LR crops are enlarged to the HR ones' size, by PyTorch's bicubic,
  /// on the 8-bit grid. Pairs may have LR pictures of that size already.
  bool enlarged = false;

  bool flip = true, rotate = true;
  std::uint64_t seed = 0;

  int workers = 0;  ///< threads that make samples; 0: half of the processors, shared among the ranks
  fs::path cache;   ///< the file of decoded pictures; empty: none
  std::int64_t memory = std::int64_t{2} << 30;  ///< bytes of decoded pictures to keep where there's no cache
  /// Told how many pictures of all are in the cache while it is made, from several threads; may be empty.
  std::function<void(std::size_t done, std::size_t all)> packed;
};

}  // namespace sr
