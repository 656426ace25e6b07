"""A complete set of models for sr-diffuse as they are downloaded, right in layout, names and shapes, a few hundred
kilobytes in all: Stable Diffusion 2 base, sd-turbo, SeeSR, RAM with DAPE. The values are random."""

import json

from weights import dape, linear, norm, ram, write_tag_lists, write_toy

# --- configurations -----------------------------------------------------------------------------------

_ENCODER = {"act_fn": "silu", "attention_head_dim": [1, 2, 2], "block_out_channels": [8, 8, 16],
            "cross_attention_dim": 16, "down_block_types": ["CrossAttnDownBlock2D"] * 2 + ["DownBlock2D"],
            "downsample_padding": 1, "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4, "layers_per_block": 1,
            "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 4, "only_cross_attention": False,
            "use_linear_projection": True}
BASE_UNET = {"_class_name": "UNet2DConditionModel", **_ENCODER, "out_channels": 4, "sample_size": 64,
             "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 2}
UNET = {**BASE_UNET, "use_image_cross_attention": True}
CONTROLNET = {"_class_name": "ControlNetModel", **_ENCODER, "conditioning_channels": 3,
              "conditioning_embedding_out_channels": [4, 4, 8, 8], "use_image_cross_attention": True}
VAE = {"_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [8, 8, 8, 16],
       "down_block_types": ["DownEncoderBlock2D"] * 4, "in_channels": 3, "latent_channels": 4, "layers_per_block": 1,
       "norm_num_groups": 4, "out_channels": 3, "sample_size": 64, "up_block_types": ["UpDecoderBlock2D"] * 4}
SCHEDULER = {"beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": False,
             "num_train_timesteps": 1000, "prediction_type": "epsilon", "set_alpha_to_one": False,
             "skip_prk_steps": True, "steps_offset": 1, "trained_betas": None}
BASE_SCHEDULER = {"_class_name": "PNDMScheduler", **SCHEDULER}
TURBO_SCHEDULER = {"_class_name": "EulerDiscreteScheduler", **SCHEDULER, "timestep_spacing": "trailing",
                   "interpolation_type": "linear", "use_karras_sigmas": False}

# --- the tokenizer ------------------------------------------------------------------------------------

MERGES = ["c a", "ca t</w>", "b i", "r d</w>", "bi rd</w>", "t r", "e e</w>", "tr ee</w>", "o g</w>", "d og</w>",
          "c l", "e a", "cl ea", "clea n</w>"]


def _byte_spellings():
    """Of all bytes, visible ones first: they stand for themselves."""
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in visible] + [chr(0x100 + i) for i in range(256 - len(visible))]


def vocabulary():
    bytes_alone = _byte_spellings()
    made = [rule.replace(" ", "") for rule in MERGES]
    tokens = [*bytes_alone, *(f"{byte}</w>" for byte in bytes_alone), *made, "<|startoftext|>", "<|endoftext|>"]
    return {token: number for number, token in enumerate(tokens)}


TEXT_ENCODER = {"architectures": ["CLIPTextModel"], "bos_token_id": 0, "eos_token_id": 2, "hidden_act": "gelu",
                "hidden_size": 16, "intermediate_size": 32, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
                "model_type": "clip_text_model", "num_attention_heads": 2, "num_hidden_layers": 2, "pad_token_id": 1,
                "projection_dim": 512, "vocab_size": len(vocabulary())}


def write_tokenizer(folder):
    folder.mkdir(parents=True)
    special = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    begin, end = ({"content": f"<|{name}oftext|>", **special} for name in ["start", "end"])
    _write_json(folder / "vocab.json", vocabulary())
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{rule}\n" for rule in MERGES), encoding="utf-8")
    _write_json(folder / "special_tokens_map.json",
                {"bos_token": begin, "eos_token": end, "pad_token": "!", "unk_token": end})
    _write_json(folder / "tokenizer_config.json",
                {"do_lower_case": True, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"})


# --- networks: {name: shape} of a configuration -------------------------------------------------------


def _conv(shapes, name, out, into, side=3):
    shapes[f"{name}.weight"], shapes[f"{name}.bias"] = [out, into, side, side], [out]


def _resnet(shapes, at, into, out, time=None):
    norm(shapes, f"{at}norm1", into)
    _conv(shapes, f"{at}conv1", out, into)
    if time:
        linear(shapes, f"{at}time_emb_proj", out, time)
    norm(shapes, f"{at}norm2", out)
    _conv(shapes, f"{at}conv2", out, out)
    if into != out:
        _conv(shapes, f"{at}conv_shortcut", out, into, 1)


def _transformer(shapes, at, width, context):
    for name in ["norm", "transformer_blocks.0.norm1", "transformer_blocks.0.norm2", "transformer_blocks.0.norm3"]:
        norm(shapes, at + name, width)
    for name in ["proj_in", "proj_out"]:
        linear(shapes, at + name, width, width)
    for name, into in [("attn1", width), ("attn2", context)]:
        attention = f"{at}transformer_blocks.0.{name}."
        for part, features in [("to_q", width), ("to_k", into), ("to_v", into)]:
            shapes[f"{attention}{part}.weight"] = [width, features]
        linear(shapes, f"{attention}to_out.0", width, width)
    linear(shapes, f"{at}transformer_blocks.0.ff.net.0.proj", 8 * width, width)
    linear(shapes, f"{at}transformer_blocks.0.ff.net.2", width, 4 * width)


def _transformers(shapes, at, number, width, config):
    """That after a residual block which looks at the text, and SeeSR's, which looks at RAM's 512 features."""
    _transformer(shapes, f"{at}attentions.{number}.", width, config["cross_attention_dim"])
    if config.get("use_image_cross_attention"):
        _transformer(shapes, f"{at}image_attentions.{number}.", width, 512)


def _way_down(shapes, config):
    """Of the U-Net and the ControlNet; the channels of what goes over to the way up."""
    widths = config["block_out_channels"]
    time, width = 4 * widths[0], widths[0]
    _conv(shapes, "conv_in", width, config["in_channels"])
    linear(shapes, "time_embedding.linear_1", time, width)
    linear(shapes, "time_embedding.linear_2", time, time)
    skips = [width]
    for level, (out, kind) in enumerate(zip(widths, config["down_block_types"])):
        at = f"down_blocks.{level}."
        for number in range(config["layers_per_block"]):
            _resnet(shapes, f"{at}resnets.{number}.", width, out, time)
            if kind.startswith("CrossAttn"):
                _transformers(shapes, at, number, out, config)
            width = out
            skips.append(width)
        if level + 1 < len(widths):
            _conv(shapes, f"{at}downsamplers.0.conv", width, width)
            skips.append(width)
    for number in range(2):
        _resnet(shapes, f"mid_block.resnets.{number}.", width, width, time)
    _transformers(shapes, "mid_block.", 0, width, config)
    return skips


def unet(config=None):
    config, shapes = config or UNET, {}
    skips = _way_down(shapes, config)
    widths = config["block_out_channels"]
    width = widths[-1]
    for level, (out, kind) in enumerate(zip(reversed(widths), config["up_block_types"])):
        at = f"up_blocks.{level}."
        for number in range(config["layers_per_block"] + 1):
            _resnet(shapes, f"{at}resnets.{number}.", width + skips.pop(), out, 4 * widths[0])
            if kind.startswith("CrossAttn"):
                _transformers(shapes, at, number, out, config)
            width = out
        if level + 1 < len(widths):
            _conv(shapes, f"{at}upsamplers.0.conv", width, width)
    norm(shapes, "conv_norm_out", width)
    _conv(shapes, "conv_out", config["out_channels"], width)
    return shapes


def controlnet(config=None):
    config, shapes = config or CONTROLNET, {}
    for number, width in enumerate(_way_down(shapes, config)):
        _conv(shapes, f"controlnet_down_blocks.{number}", width, width, 1)
    _conv(shapes, "controlnet_mid_block", config["block_out_channels"][-1], config["block_out_channels"][-1], 1)
    at, widths = "controlnet_cond_embedding.", config["conditioning_embedding_out_channels"]
    _conv(shapes, f"{at}conv_in", widths[0], config["conditioning_channels"])
    for number, (into, out) in enumerate(zip(widths, widths[1:])):
        _conv(shapes, f"{at}blocks.{2 * number}", into, into)
        _conv(shapes, f"{at}blocks.{2 * number + 1}", out, into)
    _conv(shapes, f"{at}conv_out", config["block_out_channels"][0], widths[-1])
    return shapes


def _vae_half(shapes, at, widths, blocks, ways, ends, attention):
    into, out = ends
    _conv(shapes, f"{at}conv_in", widths[0], into)
    width = widths[0]
    for level, channels in enumerate(widths):
        for number in range(blocks):
            _resnet(shapes, f"{at}{ways}_blocks.{level}.resnets.{number}.", width, channels)
            width = channels
        if level + 1 < len(widths):
            _conv(shapes, f"{at}{ways}_blocks.{level}.{ways}samplers.0.conv", width, width)
    middle = max(widths[0], widths[-1])
    for number in range(2):
        _resnet(shapes, f"{at}mid_block.resnets.{number}.", middle, middle)
    norm(shapes, f"{at}mid_block.attentions.0.group_norm", middle)
    for name in attention:
        linear(shapes, f"{at}mid_block.attentions.0.{name}", middle, middle)
    norm(shapes, f"{at}conv_norm_out", widths[-1])
    _conv(shapes, f"{at}conv_out", out, widths[-1])


PUBLISHED, CURRENT = ["query", "key", "value", "proj_attn"], ["to_q", "to_k", "to_v", "to_out.0"]


def vae(config=None, attention=PUBLISHED):
    config, shapes = config or VAE, {}
    widths, layers, latents = config["block_out_channels"], config["layers_per_block"], config["latent_channels"]
    _vae_half(shapes, "encoder.", widths, layers, "down", (config["in_channels"], 2 * latents), attention)
    _vae_half(shapes, "decoder.", widths[::-1], layers + 1, "up", (latents, config["out_channels"]), attention)
    _conv(shapes, "quant_conv", 2 * latents, 2 * latents, 1)
    _conv(shapes, "post_quant_conv", latents, latents, 1)
    return shapes


def text_encoder(config=None):
    config = config or TEXT_ENCODER
    width, hidden = config["hidden_size"], config["intermediate_size"]
    shapes = {"text_model.embeddings.token_embedding.weight": [config["vocab_size"], width],
              "text_model.embeddings.position_embedding.weight": [config["max_position_embeddings"], width]}
    for layer in range(config["num_hidden_layers"]):
        at = f"text_model.encoder.layers.{layer}."
        for name in ["k_proj", "v_proj", "q_proj", "out_proj"]:
            linear(shapes, f"{at}self_attn.{name}", width, width)
        linear(shapes, f"{at}mlp.fc1", hidden, width)
        linear(shapes, f"{at}mlp.fc2", width, hidden)
        for name in ["layer_norm1", "layer_norm2"]:
            norm(shapes, at + name, width)
    norm(shapes, "text_model.final_layer_norm", width)
    return shapes


# --- the folders --------------------------------------------------------------------------------------

DIFFUSION = "diffusion_pytorch_model.safetensors"  # what diffusers calls weights


def _write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


def write_part(folder, config, shapes, seed=0, name=DIFFUSION):
    _write_json(folder / "config.json", config)
    write_toy(folder / name, shapes, seed=seed)


def _write_stable_diffusion(folder, scheduler, attention, seed):
    write_tokenizer(folder / "tokenizer")
    _write_json(folder / "scheduler/scheduler_config.json", scheduler)
    write_part(folder / "text_encoder", TEXT_ENCODER, text_encoder(), seed + 1000, "model.safetensors")
    write_part(folder / "vae", VAE, vae(attention=attention), seed + 2000)


def write_seesr(folder, seed=5000):
    write_part(folder / "unet", UNET, unet(), seed)
    write_part(folder / "controlnet", CONTROLNET, controlnet(), seed + 2000)


THRESHOLDS = [0.61, 0.5, 0.9, 0.62, 0.9, 0.9, 0.9]  # so that pictures show some of RAM_TAGS


def write_models(folder):
    """All of them, under the names that sr-diffuse looks for."""
    _write_stable_diffusion(folder / "stable-diffusion-2-base", BASE_SCHEDULER, PUBLISHED, 10000)
    _write_stable_diffusion(folder / "sd-turbo", TURBO_SCHEDULER, CURRENT, 20000)
    write_part(folder / "sd-turbo/unet", BASE_UNET, unet(BASE_UNET), 23000)
    write_seesr(folder / "seesr")
    write_toy(folder / "ram_swin_large_14m.safetensors", ram(memory=512))
    write_toy(folder / "DAPE.safetensors", dape(memory=512))
    write_tag_lists(folder, THRESHOLDS)
