#include "cli/tagger.h"

#include <CLI/CLI.hpp>
#include <c10/core/InferenceMode.h>

#include "cli/computing.h"
#include "cli/offers.h"
#include "cli/weights_source.h"
#include "core/processor.h"
#include "nets/lora.h"
#include "tagging/ram_input.h"

namespace sr {
namespace {

/// `work`, whose errors name the model.
template <class Work>
auto named(const std::string& model, const Work& work) {
  return needed_to_start([&] { return naming("-m " + printable(model), work); });
}

/// LoRA is merged: it costs nothing then.
std::shared_ptr<Ram> load_ram(WeightsSource& source, const std::string& model) {
  return named(model, [&] {
    const StateDict& weights = source.load(model);
    const bool overlay = is_dape(weights);
    const auto ram = make_ram(overlay ? source.load("ram") : weights);
    if (overlay) load_dape(*ram, weights);
    merge_lora(*ram);
    return ram;
  });
}

TagList load_tags(const WeightsSource& source, const std::string& language, int64_t classes) {
  const auto names = source.find(language == "zh" ? "ram-tags-zh" : "ram-tags");
  const auto thresholds = source.find("ram-thresholds");
  return needed_to_start([&] {
    auto tags = read_tag_list(names, thresholds);
    check_tag_list(tags, classes);
    return tags;
  });
}

}  // namespace

void add_tagger_options(Program& program, TaggerOptions& options) {
  constexpr auto* group = "Model";
  auto& app = program.app();
  app.add_option("-m,--model", options.model,
                 "dape (RAM that knows degraded images; the default), ram, or a checkpoint file of either "
                 "kind, as downloaded; one of DAPE is laid over the catalogue's ram")
      ->type_name("NAME|FILE")
      ->group(group);
  program.offer("--model", models_of("tagger"));
  add_weights_option(program, options.weights);
  program.add_choice("--language", options.language, "en|zh", "The tag list: RAM's English or Chinese one")
      ->group(group);
  add_compute_options(program, options.compute);
  app.add_option("--batch", options.batch, "Pictures in one forward pass (4)")
      ->type_name("N")
      ->check(CLI::Range(1, 4096))
      ->group("Computation");
}

Tagger::Tagger(const TaggerOptions& options)
    : device_(parse_device(options.compute.device)),
      stage_([threads = threads_or_all(options.compute.threads)] { at::set_num_threads(threads); }) {
  const auto type = choose_type(engine_options(options.compute).precision, device_);
  WeightsSource source(options.weights);
  stage_.run([&] {
    ram_ = load_ram(source, options.model);
    tags_ = load_tags(source, options.language, ram_->config().classes);
    ram_->to(device_);
    set_precision(*ram_, type);
  });
}

Tensor Tagger::input(const Tensor& image) const { return ram_input(image, ram_->config().swin.image_size); }

std::vector<TaggedPicture> Tagger::operator()(const Tensor& inputs) {
  try {
    std::vector<TaggedPicture> tagged;
    stage_.run([&] { tagged = forward(inputs); });
    return tagged;
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error) || inputs.size(0) == 1) throw;
  }
  const auto halves = inputs.chunk(2);
  auto tagged = (*this)(halves[0]);
  for (auto& picture : (*this)(halves[1])) tagged.push_back(std::move(picture));
  return tagged;
}

std::vector<TaggedPicture> Tagger::forward(const Tensor& inputs) const {
  const c10::InferenceMode inference;
  const Tensor embeddings = ram_->embed(inputs.to(device_));
  const Tensor probabilities = tag_probabilities(ram_->logits(embeddings)).cpu();
  const Tensor values = embeddings.to(at::kCPU, at::kFloat);
  std::vector<TaggedPicture> tagged;
  for (int64_t i = 0; i < inputs.size(0); ++i)
    tagged.push_back({probabilities[i].clone(), values.slice(0, i, i + 1).clone()});
  return tagged;
}

}  // namespace sr
