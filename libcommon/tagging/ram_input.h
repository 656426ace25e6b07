#pragma once
// Pictures as RAM and DAPE take them. Sources: cswry/SeeSR test_seesr.py ram_transforms,
// dataloaders/paired_dataset.py PairedCaptionDataset, basicsr/options/dape.yaml (@8edecc7).

#include "core/torch.h"

namespace sr {

/// Neither widens its window where a side shrinks (no antialiasing); samples lie at pixel centres.
enum class RamResize {
  bilinear,  ///< of inference, and of DAPE's training
  bicubic,   ///< of SeeSR's training: a = -0.75, clamped to [0,1] then
};

/// RGB images [N,3,H,W] in [0,1] -> [N,3,side,side] by ImageNet's mean and deviation. Proportions are not
/// kept. `side` is the network's `swin.image_size`. Throws Error for other images.
Tensor ram_input(const Tensor& images, int64_t side, RamResize resize = RamResize::bilinear);

}  // namespace sr
