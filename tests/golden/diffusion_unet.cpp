// SeeSR's U-Net and ControlNet: their parts, and both as a whole. Tolerances are each case's own. See
// ../shared/golden/seesr/README.md.

#include <fmt/format.h>

#include "case.h"
#include "nets/controlnet.h"
#include "nets/fill_module.h"

namespace golden {
namespace {

using Json = nlohmann::json;

void compare(const Case& recorded, Report& report, const std::string& name, const Tensor& actual) {
  report.compare(name, actual, recorded.out(name), recorded.info().at("tol").at(name).get<double>());
}

/// Input, or an undefined tensor where the case has none.
Tensor in_if_any(const Case& recorded, const std::string& name) {
  return recorded.has("in." + name) ? recorded.in(name) : Tensor();
}

/// A module with the case's parameters of this prefix.
template <class Module, class... Arguments>
std::shared_ptr<Module> filled(const Case& recorded, const std::string& prefix,
                               const Arguments&... arguments) {
  auto module = std::make_shared<Module>(arguments...);
  sr::fill_module(*module, below(recorded.parameters(), prefix));
  return module;
}

// --- parts -----------------------------------------------------------------------------------------

void run_timestep_embedding(const Case& recorded, Report& report) {
  const int64_t sines = recorded.config().at("num_channels");
  const int64_t features = recorded.config().at("time_embed_dim");
  const Tensor timesteps = recorded.in("timesteps");
  compare(recorded, report, "sin_cos", sr::sinusoids(timesteps, sines));
  compare(recorded, report, "sin_cos_320", sr::sinusoids(timesteps, 320));
  const auto embedding = filled<sr::TimestepEmbedding>(recorded, "time_embedding.", sines, features);
  compare(recorded, report, "emb", embedding->forward(timesteps));
}

void run_resnet(const Case& recorded, Report& report) {
  const Json& json = recorded.config();
  const Tensor time = in_if_any(recorded, "temb");
  const sr::ResnetBlockConfig config{.in = json.at("in_channels"),
                                     .out = json.at("out_channels"),
                                     .time_features = time.defined() ? time.size(1) : 0,
                                     .groups = json.at("groups"),
                                     .epsilon = json.at("eps")};
  const auto block = filled<sr::ResnetBlock>(recorded, "", config);
  compare(recorded, report, "y",
          block->forward(recorded.in("x"), time.defined() ? at::silu(time) : Tensor()));
}

void run_sampling(const Case& recorded, Report& report) {
  const int64_t channels = recorded.config().at("channels");
  const auto size = recorded.config().at("output_size").get<std::vector<int64_t>>();
  const Tensor x = recorded.in("x");
  compare(recorded, report, "down", filled<sr::Downsample>(recorded, "down.", channels)->forward(x));
  compare(recorded, report, "down_vae",
          filled<sr::Downsample>(recorded, "down_vae.", channels, false)->forward(x));
  const auto upsample = filled<sr::Upsample>(recorded, "up.", channels);
  compare(recorded, report, "up", upsample->forward(x));
  compare(recorded, report, "up_to_size", upsample->forward(x, size.at(0), size.at(1)));
}

void run_transformer(const Case& recorded, Report& report) {
  const Json& json = recorded.config();
  const sr::Transformer2dConfig config{.channels = json.at("in_channels"),
                                       .context_features = json.at("cross_attention_dim"),
                                       .heads = json.at("num_attention_heads"),
                                       .groups = json.at("norm_num_groups"),
                                       .linear_projection = json.at("use_linear_projection")};
  const auto transformer = filled<sr::Transformer2d>(recorded, "", config);
  const auto memory = transformer->remember(recorded.in("encoder_hidden_states"));
  compare(recorded, report, "y", transformer->forward(recorded.in("x"), memory));
}

// --- blocks ----------------------------------------------------------------------------------------

/// The configuration of a block that takes `inputs`.
sr::UnetBlockConfig block_config(const Case& recorded, std::vector<int64_t> inputs) {
  const Json& json = recorded.config();
  const bool attends = json.contains("cross_attention_dim");
  sr::UnetBlockConfig config{.inputs = std::move(inputs),
                             .channels = json.value("out_channels", json.at("in_channels").get<int64_t>()),
                             .time_features = json.at("temb_channels"),
                             .groups = json.at("resnet_groups"),
                             .epsilon = json.at("resnet_eps")};
  if (!attends) return config;
  config.attending = config.inputs.size();
  config.heads = json.at("num_attention_heads");
  config.text_features = json.at("cross_attention_dim");
  config.image_features = recorded.in("image_encoder_hidden_states").size(2);
  config.linear_projection = json.at("use_linear_projection");
  return config;
}

sr::BlockMemory block_memory(const Case& recorded, const sr::UnetBlock& block) {
  return block.remember(in_if_any(recorded, "encoder_hidden_states"),
                        in_if_any(recorded, "image_encoder_hidden_states"));
}

/// `prefix` leads to the block's keys and to its outputs.
void compare_down(const Case& recorded, Report& report, const std::string& input, const std::string& keys,
                  const std::string& skip, const std::string& output) {
  const Json& json = recorded.config();
  std::vector<int64_t> inputs(json.at("num_layers").get<size_t>(), json.at("out_channels"));
  inputs.front() = json.at("in_channels");
  const auto block = filled<sr::DownBlock>(recorded, keys, block_config(recorded, inputs),
                                           json.at("add_downsample").get<bool>());
  const auto maps =
      block->forward(recorded.in(input), at::silu(recorded.in("temb")), block_memory(recorded, *block));
  for (size_t i = 0; i < maps.size(); ++i) compare(recorded, report, fmt::format("{}{}", skip, i), maps[i]);
  compare(recorded, report, output, maps.back());
}

/// The block upsamples to twice its sides, and, where the case says, to others.
void compare_up(const Case& recorded, Report& report, const std::string& keys, const std::string& output) {
  const Json& json = recorded.config();
  const Tensor x = recorded.in("x"), low = recorded.in("skip0"), high = recorded.in("skip1");
  const auto config = block_config(recorded, {json.at("prev_output_channel").get<int64_t>() + high.size(1),
                                              json.at("out_channels").get<int64_t>() + low.size(1)});
  const auto block = filled<sr::UpBlock>(recorded, keys, config, json.at("add_upsample").get<bool>());
  const auto answer = [&](int64_t height, int64_t width) {
    std::vector<Tensor> skips{at::empty({1, 1, height, width}), low, high};
    return block->forward(x, skips, at::silu(recorded.in("temb")), block_memory(recorded, *block));
  };
  compare(recorded, report, output, answer(2 * x.size(2), 2 * x.size(3)));
  if (!recorded.info().contains("upsample_size")) return;
  const auto size = recorded.info().at("upsample_size").get<std::vector<int64_t>>();
  compare(recorded, report, output + "_sized", answer(size.at(0), size.at(1)));
}

void run_mid(const Case& recorded, Report& report) {
  const auto block = filled<sr::MidBlock>(recorded, "", block_config(recorded, {}));
  compare(recorded, report, "y",
          block->forward(recorded.in("x"), at::silu(recorded.in("temb")), block_memory(recorded, *block)));
}

void run_down(const Case& recorded, Report& report) { compare_down(recorded, report, "x", "", "skip", "y"); }

void run_up(const Case& recorded, Report& report) { compare_up(recorded, report, "", "y"); }

void run_plain(const Case& recorded, Report& report) {
  compare_down(recorded, report, "x_down", "down.", "down_skip", "down");
  compare_up(recorded, report, "up.", "up");
}

// --- whole networks --------------------------------------------------------------------------------

sr::UnetMaps control_maps(const Case& recorded) {
  sr::UnetMaps maps;
  for (int i = 0; recorded.has(fmt::format("in.down_residual{}", i)); ++i)
    maps.skips.push_back(recorded.in(fmt::format("down_residual{}", i)));
  maps.middle = recorded.in("mid_residual");
  return maps;
}

/// The network as SD2 has it.
void compare_plain_unet(const Case& recorded, Report& report) {
  Json json = recorded.config();
  json["use_image_cross_attention"] = false;
  sr::ConditionedUnet unet(sr::conditioned_unet_config(json));
  sr::fill_module(unet, below(recorded.parameters(), "unet."), sr::is_image_attention);
  const auto conditions = unet.prepare(recorded.in("encoder_hidden_states"), {});
  compare(recorded, report, "plain",
          unet.forward(recorded.in("sample"), recorded.in("timesteps"), conditions));
}

void run_unet(const Case& recorded, Report& report) {
  compare_plain_unet(recorded, report);
  const auto unet =
      filled<sr::ConditionedUnet>(recorded, "unet.", sr::conditioned_unet_config(recorded.config()));
  const Tensor sample = recorded.in("sample"), timesteps = recorded.in("timesteps");
  const Tensor text = recorded.in("encoder_hidden_states");
  const Tensor image_tokens = recorded.in("image_encoder_hidden_states");
  const auto conditions = unet->prepare(text, image_tokens);
  compare(recorded, report, "image", unet->forward(sample, timesteps, conditions));
  compare(recorded, report, "image_control",
          unet->forward(sample, timesteps, conditions, control_maps(recorded)));
  const auto first = unet->prepare(text.slice(0, 0, 1), image_tokens.slice(0, 0, 1));
  compare(recorded, report, "t_scalar", unet->forward(sample.slice(0, 0, 1), at::full({1}, 7), first));
}

void run_picture_encoder(const Case& recorded, Report& report) {
  const Json& json = recorded.config();
  const auto encoder =
      filled<sr::PictureEncoder>(recorded, "", json.at("conditioning_channels").get<int64_t>(),
                                 json.at("block_out_channels").get<std::vector<int64_t>>(),
                                 json.at("conditioning_embedding_channels").get<int64_t>());
  compare(recorded, report, "y", encoder->forward(recorded.in("x")));
}

void run_controlnet(const Case& recorded, Report& report) {
  const auto net = filled<sr::ControlNet>(recorded, "controlnet.", sr::controlnet_config(recorded.config()));
  const Tensor embedded = net->embed(recorded.in("image"));
  compare(recorded, report, "cond", embedded);
  const auto conditions =
      net->prepare(recorded.in("encoder_hidden_states"), recorded.in("image_encoder_hidden_states"));
  const auto answer = [&](double strength) {
    return net->forward(recorded.in("sample"), recorded.in("timesteps"), conditions, embedded, strength);
  };
  const auto maps = answer(1), weaker = answer(0.7);
  for (size_t i = 0; i < maps.skips.size(); ++i)
    compare(recorded, report, fmt::format("down{}", i), maps.skips[i]);
  compare(recorded, report, "mid", maps.middle);
  compare(recorded, report, "down2_0.7", weaker.skips.at(2));
  compare(recorded, report, "mid_0.7", weaker.middle);
  for (const std::string& output : recorded.outputs()) {
    if (output.ends_with("_guess")) recorded.leave(output);  // SeeSR doesn't use diffusers' guess mode
  }
}

}  // namespace

void add_diffusion_unet_handlers(Handlers& handlers) {
  handlers["TimestepEmbedding"] = run_timestep_embedding;
  handlers["ResnetBlock2D"] = run_resnet;
  handlers["Sampling"] = run_sampling;
  handlers["Transformer2DModel"] = run_transformer;
  handlers["CrossAttnDownBlock2D"] = run_down;
  handlers["UNetMidBlock2DCrossAttn"] = run_mid;
  handlers["CrossAttnUpBlock2D"] = run_up;
  handlers["DownBlock2D, UpBlock2D"] = run_plain;
  handlers["UNet2DConditionModel"] = run_unet;
  handlers["ControlNetConditioningEmbedding"] = run_picture_encoder;
  handlers["ControlNetModel"] = run_controlnet;
}

}  // namespace golden
