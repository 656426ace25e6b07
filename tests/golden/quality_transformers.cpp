// MUSIQ, MANIQA and TOPIQ. Tolerances: ../shared/golden/metrics/README.md.

#include <cmath>
#include <fmt/format.h>

#include "case.h"
#include "quality/maniqa.h"
#include "quality/musiq.h"
#include "quality/opinion.h"
#include "quality/topiq.h"

namespace golden {
namespace {

using Json = nlohmann::json;

/// Recorded pictures are uint8 H x W x 3; measures take [1,3,H,W] in [0,1].
Tensor image(const Case& recorded, const std::string& name) {
  return recorded.in(name).permute({2, 0, 1}).unsqueeze(0).to(at::kFloat).div(255).contiguous();
}

/// Inputs are called img0, img1, ...
size_t images(const Case& recorded) {
  size_t count = 0;
  while (recorded.has(fmt::format("in.img{}", count))) ++count;
  return count;
}

/// Compares scores with those that the official code gave in float32, and in float64 where it was run.
void compare_scores(const Case& recorded, Report& report, const std::string& name,
                    const std::vector<double>& scores, double tolerance) {
  const Tensor actual = torch::tensor(scores, at::kDouble);
  report.compare(name, actual, recorded.out(name), tolerance);
  if (recorded.has("out." + name + "_f64"))
    report.compare(name + "_f64", actual, recorded.out(name + "_f64"), tolerance);
}

// --- MUSIQ -----------------------------------------------------------------------------------------

constexpr double musiq_tolerance = 1e-3;

sr::MusiqConfig musiq_config(const Json& json) {
  return {.patch = json.value("patch_size", 32),
          .hidden = json.value("hidden_size", 384),
          .mlp_features = json.value("mlp_dim", 1152),
          .heads = json.value("num_heads", 6),
          .layers = json.value("num_layers", 14),
          .scales = json.value("num_scales", 3),
          .grid = json.value("spatial_pos_grid_size", 10),
          .classes = json.value("num_class", 1)};
}

sr::MusiqSampling musiq_sampling(const Json& json) {
  sr::MusiqSampling sampling;
  sampling.longer_sides = json.value("longer_side_lengths", sampling.longer_sides);
  const auto limit = json.find("max_seq_len_from_original_res");
  if (limit != json.end())
    sampling.original_patches = limit->is_null() ? std::nullopt : std::optional(limit->get<int64_t>());
  return sampling;
}

/// The official code pads a view's tokens with zeros up to a fixed number; -1: it does not.
int64_t padded_length(const sr::MusiqSampling& sampling, size_t scale, int64_t patch) {
  if (scale == sampling.longer_sides.size()) return *sampling.original_patches;
  const auto side = static_cast<double>(sampling.longer_sides[scale]);
  return static_cast<int64_t>(std::pow(std::ceil(side / static_cast<double>(patch)), 2));
}

Tensor lengthened(const Tensor& rows, int64_t length) {
  if (length <= rows.size(0)) return rows;
  std::vector<int64_t> zeros(rows.sizes().begin(), rows.sizes().end());
  zeros[0] = length - rows.size(0);
  return at::cat({rows, at::zeros(zeros, rows.options())});
}

/// Positions and patches of one picture, as the official code lays them out.
void compare_views(const Case& recorded, Report& report, size_t picture, const sr::MusiqConfig& config,
                   const sr::MusiqSampling& sampling, const std::vector<sr::MusiqView>& views) {
  std::vector<Tensor> tokens, places;
  for (size_t scale = 0; scale < views.size(); ++scale) {
    const int64_t length = padded_length(sampling, scale, config.patch);
    const Tensor& positions = views[scale].positions;
    const Tensor scales = at::full_like(positions, static_cast<int64_t>(scale));
    places.push_back(lengthened(at::stack({positions, scales, at::ones_like(positions)}, 1), length));
    tokens.push_back(lengthened(views[scale].patches.flatten(1), length).to(at::kDouble));
  }
  const auto compare = [&](const char* name, const Tensor& actual, double tolerance) {
    const std::string numbered = fmt::format("{}{}", name, picture);
    report.compare(numbered, actual, recorded.out(numbered), tolerance);
  };
  const Tensor all = at::cat(tokens);
  compare("positions", at::cat(places), 0);
  compare("patch_mean", all.mean(1), musiq_tolerance);
  compare("patch_rms", all.square().mean(1).sqrt(), musiq_tolerance);
}

/// What the first tokens of the first picture are on the way.
void compare_stem(const Case& recorded, Report& report, const sr::MusiqNet& network, const Tensor& patches) {
  const Tensor expected = recorded.out("block1_head");
  const Tensor features = network.stem(patches.slice(0, 0, expected.size(0)));
  report.compare("block1_head", features.slice(1, 0, expected.size(1)), expected, musiq_tolerance);
  report.compare("embedding_head", network.embed(features), recorded.out("embedding_head"), musiq_tolerance);
}

void run_musiq(const Case& recorded, Report& report) {
  const at::NoGradGuard no_grad;
  const sr::MusiqConfig config = musiq_config(recorded.config());
  const sr::MusiqSampling sampling = musiq_sampling(recorded.config());
  const StateDict weights = recorded.parameters();
  sr::MusiqConfig detected = sr::musiq_config(weights);
  detected.heads = config.heads;
  report.require("the keys tell the configuration", detected == config);
  const sr::Musiq musiq(config, weights, sampling);
  std::vector<double> scores;
  std::vector<Tensor> answers;
  for (size_t i = 0; i < images(recorded); ++i) {
    const Tensor picture = image(recorded, fmt::format("img{}", i));
    const auto views = sr::musiq_views(picture, config, sampling);
    compare_views(recorded, report, i, config, sampling, views);
    if (i == 0) compare_stem(recorded, report, musiq.network(), views[0].patches);
    scores.push_back(musiq(picture));
    answers.push_back(musiq.answer(views));
  }
  report.compare("raw", at::stack(answers), recorded.out("raw"), musiq_tolerance);
  compare_scores(recorded, report, "mos", scores, musiq_tolerance);
}

// --- MANIQA ----------------------------------------------------------------------------------------

constexpr double maniqa_tolerance = 1e-4;

sr::ManiqaConfig maniqa_config(const Json& json, const Json& vit) {
  sr::ManiqaConfig config;
  config.vit.image_size = vit.at("img_size");
  config.vit.patch = vit.at("patch_size");
  config.vit.features = vit.at("embed_dim");
  config.vit.depth = vit.at("depth");
  config.vit.heads = vit.at("num_heads");
  config.vit.mlp_features =
      std::lround(vit.value("mlp_ratio", 4.0) * static_cast<double>(config.vit.features));
  config.vit.norm_epsilon = vit.value("norm_eps", 1e-6);
  config.attention_blocks = json.at("num_tab");
  config.depths = json.at("depths").get<std::vector<int64_t>>();
  config.heads = json.at("num_heads").get<std::vector<int64_t>>();
  config.window = json.at("window_size");
  config.mlp_features = json.at("dim_mlp");
  config.scale = json.at("scale");
  return config;
}

/// The recorded corner of a tensor whose first dimension is the crop.
void compare_corner(const Case& recorded, Report& report, const std::string& name, const Tensor& actual) {
  const Tensor expected = recorded.out(name);
  Tensor corner = actual[0];
  for (int64_t d = 0; d < expected.dim(); ++d) corner = corner.slice(d, 0, expected.size(d));
  report.compare(name, corner, expected, maniqa_tolerance);
}

/// The first crop of the first picture, step by step.
void compare_steps(const Case& recorded, Report& report, const sr::ManiqaNet& network, const Tensor& crop) {
  const auto taps = network.taps(crop);
  compare_corner(recorded, report, "vit6_head", taps[0]);
  const Tensor attended = network.stage(0).attend(network.stacked(taps));
  compare_corner(recorded, report, "tab1_head", attended);
  const Tensor first = network.stage(0).refine(attended, network.windows());
  compare_corner(recorded, report, "swin1_head", first.permute({0, 3, 1, 2}));
  const Tensor again = network.stage(1).attend(first.flatten(1, 2).transpose(1, 2).contiguous());
  const Tensor second = network.stage(1).refine(again, network.windows());
  compare_corner(recorded, report, "swin2_head", second.permute({0, 3, 1, 2}));
  const auto [score, weight] = network.rate(second);
  report.compare("patch_score", score[0], recorded.out("patch_score"), maniqa_tolerance);
  report.compare("patch_weight", weight[0], recorded.out("patch_weight"), maniqa_tolerance);
}

void compare_crops(const Case& recorded, Report& report, size_t picture, const Tensor& input, int64_t size,
                   int64_t count) {
  std::vector<Tensor> means;
  for (const auto& crop : sr::maniqa_crops(input.size(2), input.size(3), size, count)) {
    const Tensor window = input.slice(2, crop.top, crop.top + size).slice(3, crop.left, crop.left + size);
    means.push_back(window.to(at::kDouble).mean());
  }
  const std::string name = fmt::format("crop_mean{}", picture);
  report.compare(name, at::stack(means), recorded.out(name), maniqa_tolerance);
}

void run_maniqa(const Case& recorded, Report& report) {
  const at::NoGradGuard no_grad;
  const sr::ManiqaConfig config = maniqa_config(recorded.config(), recorded.info().at("vit"));
  const int64_t crops = recorded.config().at("test_sample"), size = config.vit.image_size;
  const StateDict weights = recorded.parameters();
  sr::ManiqaConfig detected = sr::maniqa_config(weights);
  detected.vit.heads = config.vit.heads;
  detected.scale = config.scale;
  report.require("the keys tell the configuration", detected == config);
  const sr::Maniqa maniqa(config, weights, crops);
  std::vector<double> scores;
  for (size_t i = 0; i < images(recorded); ++i) {
    const Tensor picture = image(recorded, fmt::format("img{}", i));
    const Tensor input = sr::maniqa_input(picture, size);
    compare_crops(recorded, report, i, input, size, crops);
    if (i == 0) {
      compare_steps(recorded, report, maniqa.network(), input.slice(2, 0, size).slice(3, 0, size));
    }
    scores.push_back(maniqa(picture));
  }
  compare_scores(recorded, report, "score", scores, maniqa_tolerance);
}

// --- TOPIQ -----------------------------------------------------------------------------------------

constexpr double topiq_tolerance = 1e-4;

void compare_features(const Case& recorded, Report& report, const std::vector<Tensor>& features) {
  for (size_t i = 0; i < features.size(); ++i) {
    const std::string name = fmt::format("feature{}_head", i);
    Tensor corner = features[i][0];
    const Tensor expected = recorded.out(name);
    for (int64_t d = 0; d < expected.dim(); ++d) corner = corner.slice(d, 0, expected.size(d));
    report.compare(name, corner, expected, topiq_tolerance);
  }
}

void run_topiq(const Case& recorded, Report& report) {
  const at::NoGradGuard no_grad;
  const Json& json = recorded.config();
  const StateDict weights = recorded.parameters();
  sr::TopiqConfig config = sr::topiq_config(weights);
  config.heads = json.at("num_heads");
  report.require("the keys tell the configuration",
                 config.reference == json.at("use_ref").get<bool>() &&
                     config.features == json.at("inter_dim").get<int64_t>() &&
                     config.layers == json.at("num_attn_layers").get<int64_t>() &&
                     config.classes == json.value("num_class", 1));
  const sr::Topiq topiq(config, weights);
  std::vector<double> scores;
  for (size_t i = 0; i < images(recorded); ++i) {
    const Tensor picture = image(recorded, fmt::format("img{}", i));
    if (i == 0) compare_features(recorded, report, topiq.network().features(topiq.input(picture)));
    scores.push_back(config.reference ? topiq(picture, image(recorded, fmt::format("ref{}", i)))
                                      : topiq(picture));
  }
  compare_scores(recorded, report, "score", scores, topiq_tolerance);
}

}  // namespace

void add_transformers_handlers(Handlers& handlers) {
  handlers["musiq"] = run_musiq;
  handlers["maniqa"] = run_maniqa;
  handlers["topiq"] = run_topiq;
}

}  // namespace golden
