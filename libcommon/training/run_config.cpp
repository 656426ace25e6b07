#include "training/run_config.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/random.h"

namespace sr {
namespace {

DataConfig read_data(Settings table, DataConfig data) {
  constexpr int kLargest = 65536;
  data.scale = static_cast<int>(table.integer("scale", data.scale, 1, 64));
  data.crop = static_cast<int>(table.integer("crop", data.crop, 1, kLargest));
  data.batch = static_cast<int>(table.integer("batch", data.batch, 1, kLargest));
  data.degradation = table.text("degradation", data.degradation);
  data.margin = static_cast<int>(table.integer("margin", data.margin, -1, kLargest));
  data.flip = table.flag("flip", data.flip);
  data.rotate = table.flag("rotate", data.rotate);
  data.workers = static_cast<int>(table.integer("workers", data.workers, 0, 1024));
  data.cache = table.text("cache", "");
  if (data.crop % data.scale != 0) table.refuse("crop", "the crop is no multiple of the scale");
  auto sources = table.tables("sources");
  TrainingSource single{paths(table.texts("hr")), paths(table.texts("lr")), 1};
  if (data.enlarged) single.tags = paths(table.texts("tags"));
  if (!single.hr.empty()) data.sources.push_back(std::move(single));
  for (auto& source : sources) {
    data.sources.push_back(
        {paths(source.texts("hr")), paths(source.texts("lr")), source.number("weight", 1, 0, 1e9)});
    if (data.enlarged) data.sources.back().tags = paths(source.texts("tags"));
    source.done();
  }
  table.done();
  return data;
}

Schedule read_schedule(Settings table, double rate, std::int64_t iterations) {
  enum class Course { constant, multistep, cosine };
  Schedule schedule;
  schedule.base = rate;
  schedule.warm_up = table.integer("warm_up", 0);
  switch (table.choice<Course>(
      "kind", Course::constant,
      {{"constant", Course::constant}, {"multistep", Course::multistep}, {"cosine", Course::cosine}})) {
    case Course::multistep:
      schedule.course = MultiStepRate{table.integers("milestones"), table.number("gamma", 0.5, 0, 1)};
      break;
    case Course::cosine: {
      auto periods = table.integers("periods");
      if (periods.empty()) periods.push_back(iterations);
      schedule.course = CosineRate{periods, table.numbers("period_weights"), table.number("minimum", 0)};
      break;
    }
    default: break;
  }
  table.done();
  return schedule;
}

}  // namespace

std::vector<fs::path> paths(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

OptimiserConfig read_optimiser(Settings table, std::int64_t iterations) {
  OptimiserConfig config;
  config.adam.decoupled = table.choice<bool>("kind", false, {{"adam", false}, {"adamw", true}});
  const auto betas = table.numbers("betas", {0.9, 0.99});
  if (betas.size() != 2) table.refuse("betas", "two numbers are wanted here");
  config.adam.beta1 = betas[0];
  config.adam.beta2 = betas[1];
  config.adam.epsilon = table.number("epsilon", config.adam.epsilon);
  config.adam.weight_decay = table.number("weight_decay", 0);
  config.clip_norm = table.number("clip_norm", 0);
  config.schedule = read_schedule(table.table("schedule"), table.number("rate", 1e-4), iterations);
  config.schedule.check();
  table.done();
  return config;
}

ValidationConfig read_validation(Settings table, ValidationConfig config) {
  config.every = table.integer("every", config.every);
  config.hr = paths(table.texts("hr"));
  config.lr = paths(table.texts("lr"));
  config.protocol = table.text("protocol", config.protocol);
  config.measures = table.texts("measures");
  config.pictures = table.integer("pictures", config.pictures);
  config.samples = table.integer("samples", config.samples, 0, 1000);
  table.done();
  return config;
}

RunConfig read_run_config(Settings& table, DataConfig data) {
  RunConfig config;
  table.text("extends", "");
  config.iterations = table.integer("iterations", config.iterations, 1);
  config.seed = static_cast<std::uint64_t>(table.integer("seed", 0, 0, kMostSeed));
  data.seed = config.seed;
  config.data = read_data(table.table("data"), std::move(data));
  config.accumulate = table.integer("accumulate", 1, 1, 4096);
  config.checkpoint_every = table.integer("checkpoint_every", config.checkpoint_every, 1);
  config.keep = table.integer("keep", config.keep, 1, 1000000);
  config.log_every = table.integer("log_every", config.log_every, 1);
  if (config.data.batch % config.accumulate != 0)
    throw UsageError(
        fmt::format("a batch of {} is not divided by accumulate = {}", config.data.batch, config.accumulate));
  return config;
}

}  // namespace sr
