// RAM and DAPE: networks, LoRA, pictures as they take them, the loss of DAPE's training and a step of it.
// Tolerances are each case's own. See ../shared/golden/seesr/README.md.

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "case.h"
#include "degrade/pil_resize.h"
#include "nets/feature_net.h"
#include "nets/ram.h"
#include "tagging/evaluation.h"
#include "tagging/ram_input.h"
#include "tagging/tags.h"
#include "training/dape_loss.h"
#include "training/optimiser.h"

namespace golden {
namespace {

using Json = nlohmann::json;

void compare(const Case& recorded, Report& report, const std::string& name, const Tensor& actual) {
  report.compare(name, actual, recorded.out(name), recorded.info().at("tol").at(name).get<double>());
}

/// Recorded pictures are uint8 H x W x 3.
Tensor image(const Case& recorded, const std::string& name) {
  return recorded.in(name).permute({2, 0, 1}).unsqueeze(0).to(at::kFloat).div(255).contiguous();
}

sr::RamConfig ram_config(const Json& json) {
  const Json& head = json.at("tagging_head");
  sr::RamConfig config;
  config.swin.image_size = json.at("image_size");
  config.swin.patch = json.at("patch_size");
  config.swin.features = json.at("embed_dim");
  config.swin.depths = json.at("depths").get<std::vector<int64_t>>();
  config.swin.heads = json.at("num_heads").get<std::vector<int64_t>>();
  config.swin.window = json.at("window_size");
  config.swin.mlp_ratio = json.at("mlp_ratio");
  config.swin.path_drop_rate = json.at("drop_path_rate");
  config.head.features = head.at("hidden_size");
  config.head.memory_features = json.at("image_proj");
  config.head.heads = head.at("num_attention_heads");
  config.head.mlp_features = head.at("intermediate_size");
  config.head.layers = head.at("num_hidden_layers");
  config.classes = json.at("num_class");
  return config;
}

/// Where LoRA may stand are the layers that the case says.
void compare_lora(const Case& recorded, Report& report, const sr::Ram& ram, const StateDict& weights) {
  const StateDict lora = sr::lora_state(ram);
  size_t given = 0;
  for (const auto& [key, tensor] : weights) given += key.find(".lora_") != std::string::npos ? 1 : 0;
  report.require("LoRA is where the case has it", lora.size() == given);
  const int64_t rank = recorded.config().at("lora").at("r");
  for (const auto& [key, tensor] : lora) {
    if (key.ends_with("lora_B")) report.require("the rank of " + key, tensor.size(1) == rank);
  }
}

void compare_tags(const Case& recorded, Report& report, const Tensor& probabilities) {
  const sr::TagList tags{.names = recorded.info().at("tags").get<std::vector<std::string>>(),
                         .thresholds = recorded.in("class_threshold")};
  const auto present = sr::present_tags(probabilities[0], tags.thresholds);
  Tensor targets = at::zeros_like(probabilities);
  for (const size_t i : present) targets[0][static_cast<int64_t>(i)] = 1;
  compare(recorded, report, "targets", targets);
  report.require("the joined tags",
                 sr::joined_tags(tags, present) == recorded.info().at("tag_string").get<std::string>());
}

void run_ram(const Case& recorded, Report& report) {
  const at::NoGradGuard no_grad;
  const sr::RamConfig config = ram_config(recorded.config());
  const StateDict weights = recorded.parameters();
  report.require("detection reads the configuration off the keys", sr::detect_ram(weights) == config);
  const auto ram = sr::make_ram(weights);
  compare_lora(recorded, report, *ram, weights);
  const Tensor input = sr::ram_input(image(recorded, "image"), config.swin.image_size);
  const bool whole = recorded.has("in.x");
  const int64_t step = whole ? 1 : 8;
  report.compare("x", input.slice(2, 0, {}, step).slice(3, 0, {}, step),
                 recorded.in(whole ? "x" : "x_every8"), 1e-5);
  const Tensor beside = ram->embed(input);
  compare(recorded, report, "unmerged_image_embeds", beside);
  compare(recorded, report, "unmerged_logits", ram->logits(beside));
  sr::merge_lora(*ram);
  const auto merged = ram->named_parameters();
  for (const std::string& output : recorded.outputs()) {
    const std::string prefix = "merged.";
    if (output.starts_with(prefix)) compare(recorded, report, output, merged[output.substr(prefix.size())]);
  }
  const Tensor embeddings = ram->embed(input), logits = ram->logits(embeddings);
  compare(recorded, report, "image_embeds", embeddings);
  compare(recorded, report, "logits", logits);
  compare(recorded, report, "probabilities", sr::tag_probabilities(logits));
  compare_tags(recorded, report, sr::tag_probabilities(logits));
}

// --- LoRA ------------------------------------------------------------------------------------------

/// A recorded layer alone: beside its LoRA, then merged.
void compare_layer(const Case& recorded, Report& report, const std::string& name, const Tensor& input,
                   sr::LoraLinear& layer) {
  const at::NoGradGuard no_grad;
  const StateDict weights = recorded.parameters();
  layer.weight.copy_(weights.at(name + ".weight"));
  layer.bias.copy_(weights.at(name + ".bias"));
  layer.adapt(recorded.config().at(name).at("r"));
  layer.lora_A.copy_(weights.at(name + ".lora_A"));
  layer.lora_B.copy_(weights.at(name + ".lora_B"));
  compare(recorded, report, name, layer.forward(input));
  layer.merge();
  compare(recorded, report, name + "_merged", layer.forward(input));
  compare(recorded, report, name + "_weight_merged", layer.weight);
}

void run_lora(const Case& recorded, Report& report) {
  const Json& qkv = recorded.config().at("qkv");
  const Json& query = recorded.config().at("query");
  const int64_t features = qkv.at("features");
  sr::LoraLinear merged_linear(features, 3 * features, qkv.at("enable_lora").get<sr::LoraParts>());
  compare_layer(recorded, report, "qkv", recorded.in("x"), merged_linear);
  sr::LoraLinear linear(query.at("in_features"), query.at("out_features"));
  compare_layer(recorded, report, "query", recorded.in("y"), linear);
}

// --- preparation -----------------------------------------------------------------------------------

void run_preprocess(const Case& recorded, Report& report) {
  const int64_t size = recorded.info().at("size");
  for (int i = 0; recorded.has(fmt::format("in.image{}", i)); ++i) {
    const Tensor picture = image(recorded, fmt::format("image{}", i));
    const auto numbered = [i](const char* name) { return fmt::format("{}{}", name, i); };
    compare(recorded, report, numbered("test"), sr::ram_input(picture, size));
    compare(recorded, report, numbered("train"), sr::ram_input(picture, size, sr::RamResize::bicubic));
    // RAM's own transform, which SeeSR imports and doesn't use.
    const Tensor by_pil = sr::pil_bilinear(picture, size, size);
    compare(recorded, report, numbered("pil"), sr::normalised(by_pil, sr::kImagenetNormalisation));
  }
}

// --- DAPE's training -------------------------------------------------------------------------------

sr::RamAnswers answers(const sr::Ram& ram, const Tensor& images) {
  const Tensor embeddings = ram.embed(images);
  return {.embeddings = embeddings, .logits = ram.logits(embeddings)};
}

/// The student beside its teacher, which is the same network without LoRA.
void run_dape_loss(const Case& recorded, Report& report) {
  const auto ram = sr::make_ram(recorded.parameters());
  sr::mute_lora(*ram, true);
  const auto teacher = answers(*ram, recorded.in("gt_ram"));
  sr::mute_lora(*ram, false);
  const auto student = answers(*ram, recorded.in("lq_ram"));
  const auto terms = sr::DapeLoss{}(student, teacher);
  compare(recorded, report, "embeds_gt_mean", teacher.embeddings.mean(1));
  compare(recorded, report, "embeds_lq_mean", student.embeddings.mean(1));
  compare(recorded, report, "logits_gt", teacher.logits);
  compare(recorded, report, "logits_lq", student.logits);
  compare(recorded, report, "l_fea", terms.embeddings);
  compare(recorded, report, "l_logits", terms.logits);
  compare(recorded, report, "l_total", terms.sum());

  const auto trained = sr::trained_parameters(*ram);
  std::set<std::string> names;
  for (const auto& [name, parameter] : trained) names.insert(name);
  report.require("what is trained", names == recorded.info().at("trainable").get<std::set<std::string>>());
  terms.sum().backward();
  sr::Adam adam(trained, {.decoupled = true});
  const auto compare_all = [&](const std::string& prefix, bool gradients) {
    for (const auto& [name, parameter] : trained) {
      if (recorded.has("out." + prefix + name))
        compare(recorded, report, prefix + name, gradients ? parameter.grad() : parameter);
    }
  };
  compare_all("grad.", true);
  for (const auto& norm : recorded.info().at("grad_norms")) {
    const std::string name = norm.at(0);
    const double expected = norm.at(1);
    const auto found = std::ranges::find(trained, name, &sr::NamedParameters::value_type::first);
    report.compare("norm of grad." + name, found->second.grad().norm().item<double>(), expected,
                   1e-4 * expected);
  }
  adam.step(1e-4);
  compare_all("after.", false);
}

// --- tags against labels ---------------------------------------------------------------------------

/// Each class's outcomes on all pictures.
std::vector<std::vector<sr::TagOutcome>> outcomes(const Tensor& scores, const Tensor& targets,
                                                  const Tensor& predicted) {
  std::vector<std::vector<sr::TagOutcome>> classes(static_cast<size_t>(scores.size(1)));
  for (int64_t c = 0; c < scores.size(1); ++c) {
    for (int64_t i = 0; i < scores.size(0); ++i) {
      classes[static_cast<size_t>(c)].push_back({.labelled = targets[i][c].item<float>() > 0,
                                                 .predicted = predicted[i][c].item<bool>(),
                                                 .probability = scores[i][c].item<double>()});
    }
  }
  return classes;
}

Tensor official_scores(const std::vector<sr::TagCounts>& classes) {
  sr::TagScores scores = sr::tag_scores(classes);
  sr::TagCounts total;
  for (const auto& counts : classes) {
    total += counts;
    total.predicted += counts.predicted == 0 ? 1 : 0;  // as AveragePrecisionMeter.evaluation() has it
  }
  scores.op = total.precision();
  scores.of1 = 2 * *scores.op * *scores.or_ / (*scores.op + *scores.or_);
  std::vector<double> values;
  for (const auto& score : {scores.op, scores.or_, scores.of1, scores.cp, scores.cr, scores.cf1})
    values.push_back(score.value_or(std::nan("")));
  return at::tensor(values, at::kDouble);
}

std::vector<sr::TagCounts> counts_of(const std::vector<std::vector<sr::TagOutcome>>& classes) {
  std::vector<sr::TagCounts> counts;
  for (const auto& outcomes : classes) counts.push_back(sr::count_tags(outcomes));
  return counts;
}

bool has_ties(const Tensor& scores) { return std::get<0>(at::_unique(scores)).numel() < scores.numel(); }

/// The official codes take tied scores as they come; of a class without ties all mean the same.
void compare_precisions(const Case& recorded, Report& report,
                        const std::vector<std::vector<sr::TagOutcome>>& classes, double tol) {
  const Tensor scores = recorded.in("scores");
  const Tensor by_threshold = recorded.out("ap_sklearn_formula");
  for (const auto* name : {"ap_stable", "ap_ram"}) {
    const Tensor expected = recorded.out(name);
    for (int64_t c = 0; c < scores.size(1); ++c) {
      const auto actual = sr::average_precision(classes[static_cast<size_t>(c)]);
      if (!actual) continue;
      const double by = by_threshold[c].item<double>();
      report.compare("ap_sklearn_formula", *actual, by, tol);
      if (!has_ties(scores.select(1, c))) report.compare(name, *actual, expected[c].item<double>(), tol);
    }
  }
  for (const auto* name : {"map_ram", "map_stable"}) recorded.leave(name);  // means of the former
}

void run_tag_scores(const Case& recorded, Report& report) {
  constexpr double tol = 1e-6;
  const Tensor scores = recorded.in("scores"), targets = recorded.in("targets");
  const Tensor predicted = scores.ge(0);
  const auto classes = outcomes(scores, targets, predicted);
  const auto counts = counts_of(classes);
  report.compare("OP_plain", *sr::tag_scores(counts).op, recorded.out("OP_plain").item<double>(), tol);
  report.compare("OR_plain", *sr::tag_scores(counts).or_, recorded.out("OR_plain").item<double>(), tol);
  report.compare("evaluation", official_scores(counts), recorded.out("evaluation"), tol);
  const Tensor best = at::zeros_like(predicted).scatter_(1, std::get<1>(scores.topk(3, 1)), true);
  report.compare("evaluation_top3", official_scores(counts_of(outcomes(scores, targets, predicted & best))),
                 recorded.out("evaluation_top3"), tol);
  const Tensor by_class = recorded.out("ram_PR_class");
  for (size_t c = 0; c < counts.size(); ++c) {
    const auto expected = [&](int64_t row) { return by_class[row][static_cast<int64_t>(c)].item<double>(); };
    report.compare("precision of a class", counts[c].precision().value_or(0), expected(0), tol);
    report.compare("recall of a class", counts[c].recall().value_or(0), expected(1), tol);
  }
  compare_precisions(recorded, report, classes, tol);
}

}  // namespace

void add_tagging_handlers(Handlers& handlers) {
  handlers["RAMLora"] = run_ram;
  handlers["tagging"] = run_tag_scores;
  handlers["LoRA"] = run_lora;
  handlers["RAMPreprocess"] = run_preprocess;
  handlers["DAPELoss"] = run_dape_loss;
}

}  // namespace golden
