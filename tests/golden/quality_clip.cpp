// CLIP's towers, its tokenizer, and CLIP-IQA. Tolerances of the towers stand in the cases, those of CLIP-IQA
// in
// ../shared/golden/metrics/README.md.

#include <algorithm>
#include <fmt/format.h>
#include <fstream>

#include "case.h"
#include "core/error.h"
#include "nets/clip.h"
#include "nets/clip_tokenizer.h"
#include "nets/feature_net.h"
#include "nets/fill_module.h"
#include "quality/clip_features.h"
#include "quality/clipiqa.h"

namespace golden {
namespace {

using Json = nlohmann::json;

bool is_step_count(const std::string& key) { return key.ends_with("num_batches_tracked"); }

double tolerance(const Case& recorded, const std::string& name) {
  return recorded.info().at("tol").at(name).get<double>();
}

void compare(const Case& recorded, Report& report, const std::string& name, const Tensor& actual) {
  report.compare(name, actual.detach(), recorded.out(name), tolerance(recorded, name));
}

/// The same where it was recorded.
void compare_if_there(const Case& recorded, Report& report, const std::string& name, const Tensor& actual) {
  if (recorded.has("out." + name)) compare(recorded, report, name, actual);
}

/// The input, or the small one with each pixel repeated 8 x 8.
Tensor input(const Case& recorded) {
  if (recorded.has("in.input")) return recorded.in("input").clone();
  return recorded.in("input_small").repeat_interleave(8, 2).repeat_interleave(8, 3);
}

/// Gradient of the mean of `output`.
void compare_gradient(const Case& recorded, Report& report, const Tensor& input, const Tensor& output) {
  if (!input.requires_grad()) return;
  output.mean().backward();
  compare(recorded, report, "grad_input", input.grad());
}

// --- towers ----------------------------------------------------------------------------------------

sr::ClipResNetConfig resnet_config(const Json& json) {
  return {.layers = json.at("layers").get<std::vector<int64_t>>(),
          .width = json.value("width", 64),
          .output_dim = json.at("output_dim"),
          .heads = json.at("heads"),
          .input_resolution = json.value("input_resolution", 224)};
}

void run_resnet(const Case& recorded, Report& report) {
  const StateDict weights = recorded.parameters();
  const sr::ClipResNetConfig config = resnet_config(recorded.config());
  report.require("the keys tell the configuration", sr::clip_resnet_config(weights) == config);
  sr::ModifiedResNet network(config);
  sr::fill_module(network, weights, is_step_count);
  const Tensor images = input(recorded).requires_grad_(recorded.has("out.grad_input"));
  const auto found = network.features(images);
  compare_if_there(recorded, report, "stem", found[0]);
  for (size_t level = 1; level < found.size(); ++level) {
    const std::string name = fmt::format("layer{}", level);
    compare_if_there(recorded, report, name, found[level]);
    compare_if_there(recorded, report, name + "_mean", found[level].mean({2, 3}));
  }
  const Tensor pooled = network.pooled(found.back(), sr::ModifiedResNet::Position::fixed);
  compare(recorded, report, "attnpool", pooled);
  compare_gradient(recorded, report, images, pooled);
  network.fold();
  compare(recorded, report, "attnpool", network.forward(images.detach()));
}

sr::ClipVitConfig vit_config(const Json& json) {
  return {.input_resolution = json.at("input_resolution"),
          .patch_size = json.at("patch_size"),
          .width = json.at("width"),
          .layers = json.at("layers"),
          .heads = json.at("heads"),
          .output_dim = json.at("output_dim")};
}

void run_vit(const Case& recorded, Report& report) {
  const StateDict weights = recorded.parameters();
  const sr::ClipVitConfig config = vit_config(recorded.config());
  sr::ClipVitConfig detected = sr::clip_vit_config(weights);
  detected.heads = config.heads;  // 64 channels each in OpenAI's only
  report.require("the keys tell the configuration", detected == config);
  sr::VisionTransformer network(config);
  sr::fill_module(network, weights);
  const Tensor images = input(recorded).requires_grad_(recorded.has("out.grad_input"));
  Tensor x = network.embed(images);
  compare_if_there(recorded, report, "ln_pre", x);
  for (size_t i = 0; i < network.transformer->resblocks.size(); ++i) {
    x = network.transformer->resblocks[i]->forward(x, {});
    compare_if_there(recorded, report, fmt::format("block{}", i), x);
  }
  compare_if_there(recorded, report, "ln_post", network.class_token(x));
  const Tensor output = network.forward(images);
  compare(recorded, report, "output", output);
  compare_gradient(recorded, report, images, output);
}

sr::ClipTextConfig text_config(const Json& json) {
  return {.embed_dim = json.at("embed_dim"),
          .context_length = json.at("context_length"),
          .vocab_size = json.at("vocab_size"),
          .width = json.at("transformer_width"),
          .heads = json.at("transformer_heads"),
          .layers = json.at("transformer_layers")};
}

bool is_no_text(const std::string& key) { return key.starts_with("visual.") || key == "logit_scale"; }

void run_text(const Case& recorded, Report& report) {
  const at::NoGradGuard no_grad;
  const StateDict weights = recorded.parameters();
  const sr::ClipTextConfig config = text_config(recorded.config());
  sr::ClipTextConfig detected = sr::clip_text_config(weights);
  detected.heads = config.heads;  // 64 channels each in OpenAI's only
  report.require("the keys tell the configuration", detected == config);
  sr::ClipText network(config);
  sr::fill_module(network, weights, is_no_text);
  const Tensor tokens = recorded.in("tokens");
  if (recorded.has("out.transformer")) {
    const Tensor transformed = network.transform(network.embed(tokens));
    compare(recorded, report, "transformer", transformed);
    compare(recorded, report, "ln_final", network.normalise(transformed));
  }
  compare(recorded, report, "output", network.encode(tokens));
}

sr::ClipConfig clip_config(const Json& json) {
  sr::ClipConfig config{.visual = {}, .text = text_config(json)};
  const int64_t width = json.at("vision_width");
  if (json.at("vision_patch_size").is_null()) {
    config.visual = sr::ClipResNetConfig{.layers = json.at("vision_layers").get<std::vector<int64_t>>(),
                                         .width = width,
                                         .output_dim = json.at("embed_dim"),
                                         .heads = width * 32 / 64,
                                         .input_resolution = json.at("image_resolution")};
  } else {
    config.visual = sr::ClipVitConfig{.input_resolution = json.at("image_resolution"),
                                      .patch_size = json.at("vision_patch_size"),
                                      .width = width,
                                      .layers = json.at("vision_layers"),
                                      .heads = width / 64,
                                      .output_dim = json.at("embed_dim")};
  }
  return config;
}

/// CLIP as the case has it; its text heads need not be those of OpenAI's models.
std::shared_ptr<sr::Clip> recorded_clip(const Case& recorded, Report& report) {
  const StateDict weights = sr::clip_weights(recorded.parameters());
  const sr::ClipConfig config = clip_config(recorded.config());
  sr::ClipConfig detected = sr::clip_config(weights);
  detected.text.heads = config.text.heads;
  report.require("the keys tell the configuration", detected == config);
  auto clip = std::make_shared<sr::Clip>(config);
  sr::fill_module(*clip, weights);
  return clip;
}

void run_clip(const Case& recorded, Report& report) {
  const at::NoGradGuard no_grad;
  const auto clip = recorded_clip(recorded, report);
  const Tensor images = recorded.in("image"), tokens = recorded.in("tokens");
  compare(recorded, report, "image_features", clip->visual->forward(images));
  compare(recorded, report, "text_features", clip->encode(tokens));
  const auto [by_image, by_text] = clip->logits(images, tokens);
  compare(recorded, report, "logits_per_image", by_image);
  compare(recorded, report, "logits_per_text", by_text);
}

// --- CLIP-IQA --------------------------------------------------------------------------------------

constexpr double score_tolerance = 1e-5, logit_tolerance = 1e-4;

std::vector<sr::PromptPair> prompt_pairs(const Json& prompts) {
  std::vector<sr::PromptPair> pairs;
  for (size_t i = 0; i + 1 < prompts.size(); i += 2) pairs.push_back({prompts[i], prompts[i + 1]});
  return pairs;
}

Tensor picture(const Case& recorded, size_t index) {
  const Tensor pixels = recorded.in(fmt::format("img{}", index));
  return pixels.permute({2, 0, 1}).unsqueeze(0).to(at::kFloat).div(255).contiguous();
}

/// One set of prompts, `name` in the case.
void compare_prompts(const Case& recorded, Report& report, const std::string& name, const sr::Clip& clip,
                     const sr::ClipTokenizer& tokenizer, const std::shared_ptr<sr::ClipFeatures>& features) {
  const auto pairs = prompt_pairs(recorded.info().at("prompts_" + name));
  const sr::ClipIqa measure(features, clip, tokenizer, pairs);
  report.compare("tokens_" + name, tokenizer.tokenize(sr::prompts_of(pairs)), recorded.out("tokens_" + name),
                 0);
  report.compare("text_feature_" + name, measure.texts(), recorded.out("text_feature_" + name),
                 logit_tolerance);
  std::vector<double> scores;
  for (size_t i = 0; recorded.has(fmt::format("in.img{}", i)); ++i) {
    const sr::ClipImage image = (*features)(picture(recorded, i));
    const std::string logits = fmt::format("logits_{}{}", name, i);
    report.compare(logits, sr::clip_logits(image.feature, measure.texts(), clip.scale()),
                   recorded.out(logits), logit_tolerance);
    scores.push_back(measure(image));
  }
  for (const std::string suffix : {"", "_f64"}) {
    const std::string key = "score_" + name + suffix;
    report.compare(key, torch::tensor(scores, at::kDouble), recorded.out(key), score_tolerance);
  }
}

void run_clipiqa(const Case& recorded, Report& report) {
  const at::NoGradGuard no_grad;
  const fs::path vocabulary = Options().data_for(recorded.path) / "clip/bpe_simple_vocab_16e6.txt.gz";
  if (!sr::path_exists(vocabulary)) {
    report.skip(vocabulary.string() + " is not here");
    return;
  }
  const sr::ClipTokenizer tokenizer(vocabulary);
  const auto clip = recorded_clip(recorded, report);
  const auto tower = std::dynamic_pointer_cast<sr::ModifiedResNet>(clip->visual);
  const Tensor last = tower->features(sr::normalised(picture(recorded, 0), sr::kClipNormalisation)).back();
  using Position = sr::ModifiedResNet::Position;
  report.compare("image_feature", tower->pooled(last, Position::none)[0], recorded.out("image_feature"),
                 logit_tolerance);
  report.compare("image_feature_pos", tower->pooled(last, Position::resized)[0],
                 recorded.out("image_feature_pos"), logit_tolerance);
  const auto features = std::make_shared<sr::ClipFeatures>(*clip);
  compare_prompts(recorded, report, "five", *clip, tokenizer, features);
  compare_prompts(recorded, report, "one", *clip, tokenizer, features);
}

// --- clip_tokenizer.tsv ----------------------------------------------------------------------------

/// A field of the table with its escapes resolved.
std::string unescaped(const std::string& field) {
  std::string text;
  for (size_t i = 0; i < field.size(); ++i) {
    if (field[i] != '\\') {
      text += field[i];
      continue;
    }
    const char kind = field.at(++i);
    if (kind == 'x') {
      text += static_cast<char>(std::stoi(field.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      text += kind == 't' ? '\t' : kind == 'n' ? '\n' : kind == 'r' ? '\r' : kind;
    }
  }
  return text;
}

void check_row(const sr::ClipTokenizer& tokenizer, const std::string& line, Report& report) {
  const auto fields = sr::split(line, '\t');  // text, tags, n, tokens, tokens_no_ftfy
  const std::string text = unescaped(fields.at(0));
  const Tensor expected =
      token_row(fields.at(4) == "=" ? fields.at(3) : fields.at(4), sr::ClipTokenizer::context_length);
  report.compare(fields.at(0), tokenizer.tokenize({text}, sr::ClipTokenizer::TooLong::cut)[0], expected, 0);
  if (fields.at(4) != "=") return;  // `n` counts what ftfy leaves
  const auto count = static_cast<double>(tokenizer.encode(text).size() + 2);
  report.compare(fields.at(0) + ": n", count, std::stod(fields.at(2)), 0);
}

void check_tokenizer(const fs::path& table, const Options& options, Report& report) {
  const sr::ClipTokenizer tokenizer(options.data_for(table) / "clip/bpe_simple_vocab_16e6.txt.gz");
  std::ifstream file(table.string());
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) check_row(tokenizer, line, report);
}

}  // namespace

void add_clip_handlers(Handlers& handlers) {
  handlers["ModifiedResNet"] = run_resnet;
  handlers["VisionTransformer"] = run_vit;
  handlers["CLIPText"] = run_text;
  handlers["CLIP"] = run_clip;
  handlers["clipiqa"] = run_clipiqa;
}

void add_clip_files(FileHandlers& handlers) { handlers["clip_tokenizer.tsv"] = check_tokenizer; }

}  // namespace golden
