#include "training/dape_config.h"

namespace sr {
namespace {

constexpr const char* kTable = "dape";
constexpr double kMostDropped = 0.9999999;

DapeLoss read_loss(Settings table) {
  DapeLoss loss;
  loss.embedding_weight = table.number("embeddings", loss.embedding_weight);
  loss.logit_weight = table.number("logits", loss.logit_weight);
  table.done();
  return loss;
}

}  // namespace

bool is_dape_config(const TomlValue& table) { return table.find(kTable) != nullptr; }

DapeConfig read_dape_config(const TomlValue& root) {
  Settings table(&root);
  DapeConfig config;
  DataConfig whole_pictures;
  whole_pictures.whole = true;
  static_cast<RunConfig&>(config) = read_run_config(table, whole_pictures);
  auto dape = table.table(kTable);
  config.ram = dape.text("ram", config.ram);
  config.rank = dape.integer("rank", config.rank, 1, 1024);
  config.drops.path = dape.number("path_drop", config.drops.path, 0, kMostDropped);
  config.drops.head = dape.number("dropout", config.drops.head, 0, kMostDropped);
  dape.done();
  config.loss = read_loss(table.table("loss"));
  config.optimiser = read_optimiser(table.table("optimiser"), config.iterations);
  table.done();
  return config;
}

}  // namespace sr
