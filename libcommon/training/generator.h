#pragma once
// Networks to train: how settings describe them and how new ones begin.

#include <memory>
#include <string>
#include <variant>

#include "nets/edsr.h"
#include "nets/msrresnet.h"
#include "nets/nafnet.h"
#include "nets/rrdbnet.h"
#include "nets/se_rrdb.h"
#include "nets/srvgg.h"
#include "nets/swinir.h"
#include "training/settings.h"

namespace sr {

using GeneratorConfig = std::variant<SRVGGConfig, RRDBNetConfig, SeRRDBConfig, SwinIRConfig, EDSRConfig,
                                     MSRResNetConfig, NAFNetConfig>;

/// The table [generator]: `network` and what its kind has; `scale` and the LR crop's side as the data have
/// them.
GeneratorConfig read_generator(Settings& table, int scale, int lr_crop);

/// A new network in training mode, its weights drawn as the official code begins. `semantics`: for Se-RRDB
/// alone. Throws Error where the configuration makes no sense.
std::shared_ptr<Network> make_generator(const GeneratorConfig& config, const at::Generator& draws,
                                        const std::shared_ptr<SemanticExtractor>& semantics = nullptr);

}  // namespace sr
