#include "training/seesr_config.h"

#include <algorithm>

#include "core/error.h"

namespace sr {
namespace {

constexpr const char* kTable = "seesr";
constexpr std::int64_t kValidated = 4;  // pictures, which take a minute each

void check(const SeesrConfig& config) {
  const bool alike = std::ranges::all_of(config.data.sources, [&](const TrainingSource& source) {
    return source.tags.empty() != config.captioned();
  });
  if (!alike) throw UsageError("data.sources: either all have tags, or none");
}

}  // namespace

bool is_seesr_config(const TomlValue& table) { return table.find(kTable) != nullptr; }

SeesrConfig read_seesr_config(const TomlValue& root) {
  Settings table(&root);
  SeesrConfig config;
  DataConfig shown;
  shown.enlarged = true;
  static_cast<RunConfig&>(config) = read_run_config(table, shown);
  auto seesr = table.table(kTable);
  config.sd = seesr.text("sd", config.sd);
  config.start = seesr.text("start", "");
  config.ram = seesr.text("ram", config.ram);
  config.dape = seesr.text("dape", config.dape);
  config.null_text_ratio = seesr.number("null_text_ratio", config.null_text_ratio, 0, 1);
  config.cache = seesr.text("cache", "");
  seesr.done();
  config.optimiser = read_optimiser(table.table("optimiser"), config.iterations);
  config.ema = table.number("ema", config.ema, 0, 0.9999999);
  config.checkpointing = table.flag("checkpointing", false);
  auto validation = table.table("validation");
  ValidationConfig few;
  few.pictures = kValidated;
  config.validation_steps = validation.integer("steps", config.validation_steps, 1, 1000);
  config.validation = read_validation(validation, few);
  table.done();
  check(config);
  return config;
}

}  // namespace sr
