"""Checkpoints that tests make themselves: right in names and shapes, random in values."""

import gzip
import json
import math
import random
import struct


def half_floats(count, seed, largest=0.0625):
    """`count` values of both signs in +-(largest / 2, largest), as little-endian float16."""
    exponent = int(math.log2(largest)) - 1 + 15
    raw = bytearray(random.Random(seed).randbytes(2 * count))
    high = bytes((byte & 0x83) | exponent << 2 for byte in range(256))
    raw[1::2] = raw[1::2].translate(high)
    return bytes(raw)


def write_safetensors(path, shapes, positive=False, largest=0.0625, seed=0):
    """A file of {name: shape}. `positive` and `largest` may be functions of the name and the shape."""
    header, data = {}, []
    offset = 0
    for number, (name, shape) in enumerate(shapes.items(), seed):
        values = half_floats(math.prod(shape), number, largest(name, shape) if callable(largest) else largest)
        if positive(name, shape) if callable(positive) else positive:
            values = bytes(byte & 0x7F if i % 2 else byte for i, byte in enumerate(values))
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, offset + len(values)]}
        offset += len(values)
        data.append(values)
    text = json.dumps(header, separators=(",", ":")).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))


def tensors_of(path):
    """{name: (shape, numbers)} of float32, and the metadata."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", {})
    found = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        found[name] = entry["shape"], struct.unpack(f"<{(end - begin) // 4}f", data[8 + length + begin:8 + length + end])
    return found, metadata


def fill(path, name, half):
    """Makes all values of a tensor in a file of `write_safetensors` the same; `half`: the two bytes of one."""
    data = bytearray(path.read_bytes())
    length = struct.unpack("<Q", data[:8])[0]
    begin, end = (8 + length + offset for offset in json.loads(data[8:8 + length])[name]["data_offsets"])
    data[begin:end] = half * ((end - begin) // 2)
    path.write_bytes(data)


def scatter(path, names, largest):
    """Makes the values of float32 tensors in a file random within +-`largest`."""
    data, draws = bytearray(path.read_bytes()), random.Random(1)
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    for name in names:
        begin, end = (8 + length + offset for offset in header[name]["data_offsets"])
        count = (end - begin) // 4
        data[begin:end] = struct.pack(f"<{count}f", *(draws.uniform(-largest, largest) for _ in range(count)))
    path.write_bytes(data)


NAN = b"\x00\x7e"

ALEXNET = {}
for number, shape in [(0, [64, 3, 11, 11]), (3, [192, 64, 5, 5]), (6, [384, 192, 3, 3]), (8, [256, 384, 3, 3]),
                      (10, [256, 256, 3, 3])]:
    ALEXNET[f"features.{number}.weight"] = shape
    ALEXNET[f"features.{number}.bias"] = shape[:1]

LPIPS_ALEX = {f"lin{i}.model.1.weight": [1, c, 1, 1] for i, c in enumerate([64, 192, 384, 256, 256])}


def write_lpips(folder):
    """Backbone and linear layers of lpips, under their names in the catalogue."""
    write_safetensors(folder / "alexnet-owt-7be5be79.safetensors", ALEXNET)
    write_safetensors(folder / "lpips-alex.safetensors", LPIPS_ALEX, positive=True)


# --- toy extractors: the official names, a fraction of the size ------------------------------------------


def _is_positive(name, shape):
    """Variances, and the factors of normalisations."""
    return name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1) or name == "logit_scale"


def _size_of(name, shape):
    """So that activations keep about their size: factors of normalisations near 1, weights by their fan-in."""
    if name == "logit_scale":
        return 4
    if _is_positive(name, shape):
        return 1
    if len(shape) < 2:
        return 0.0625
    return min(0.5, 2.0 ** math.floor(math.log2(2 / math.sqrt(math.prod(shape[1:])))))


def write_toy(path, shapes, seed=0):
    write_safetensors(path, shapes, positive=_is_positive, largest=_size_of, seed=seed)


def _normed(shapes, conv, norm, shape):
    shapes[f"{conv}.weight"] = shape
    for name in ["weight", "bias", "running_mean", "running_var"]:
        shapes[f"{norm}.{name}"] = shape[:1]


def _residual_layers(shapes, prefix, width, blocks):
    """layer1 to layer4 of a ResNet with bottlenecks, or of CLIP's."""
    channels = width
    for layer, count in enumerate(blocks, 1):
        planes = width * 2 ** (layer - 1)
        for block in range(count):
            at = f"{prefix}layer{layer}.{block}."
            for number, shape in enumerate([[planes, channels, 1, 1], [planes, planes, 3, 3],
                                            [4 * planes, planes, 1, 1]], 1):
                _normed(shapes, f"{at}conv{number}", f"{at}bn{number}", shape)
            if block == 0:
                _normed(shapes, f"{at}downsample.0", f"{at}downsample.1", [4 * planes, channels, 1, 1])
            channels = 4 * planes


def _transformer(shapes, prefix, width, layers):
    for layer in range(layers):
        at = f"{prefix}resblocks.{layer}."
        shapes[at + "attn.in_proj_weight"], shapes[at + "attn.in_proj_bias"] = [3 * width, width], [3 * width]
        for name, out, into in [("attn.out_proj", width, width), ("mlp.c_fc", 4 * width, width),
                                ("mlp.c_proj", width, 4 * width)]:
            shapes[f"{at}{name}.weight"], shapes[f"{at}{name}.bias"] = [out, into], [out]
        for name in ["ln_1", "ln_2"]:
            shapes[f"{at}{name}.weight"] = shapes[f"{at}{name}.bias"] = [width]


def clip_resnet(width=16, features=16, text_width=16, vocabulary=64):
    """CLIP with a convolutional image tower."""
    shapes = {"positional_embedding": [77, text_width], "text_projection": [text_width, features],
              "token_embedding.weight": [vocabulary, text_width], "logit_scale": [],
              "ln_final.weight": [text_width], "ln_final.bias": [text_width]}
    _transformer(shapes, "transformer.", text_width, 1)
    half, last = width // 2, 32 * width
    for number, shape in enumerate([[half, 3, 3, 3], [half, half, 3, 3], [width, half, 3, 3]], 1):
        _normed(shapes, f"visual.conv{number}", f"visual.bn{number}", shape)
    _residual_layers(shapes, "visual.", width, [1, 1, 1, 1])
    shapes["visual.attnpool.positional_embedding"] = [5, last]
    for name, out in [("k", last), ("q", last), ("v", last), ("c", features)]:
        shapes[f"visual.attnpool.{name}_proj.weight"] = [out, last]
        shapes[f"visual.attnpool.{name}_proj.bias"] = [out]
    return shapes


def resnet(width=8):
    """torchvision's, a block in each layer."""
    shapes = {}
    _normed(shapes, "conv1", "bn1", [width, 3, 7, 7])
    _residual_layers(shapes, "", width, [1, 1, 1, 1])
    return shapes


def vgg19(width=4):
    shapes, number, channels = {}, 0, 3
    for stage, count in enumerate([2, 2, 4, 4, 4]):
        for _ in range(count):
            out = width * 2 ** min(stage, 3)
            shapes[f"features.{number}.weight"], shapes[f"features.{number}.bias"] = [out, channels, 3, 3], [out]
            channels, number = out, number + 2
        number += 1  # the pool
    return shapes


def write_extractors(folder):
    """What training looks at pictures through, under the names in the catalogue."""
    write_toy(folder / "vgg19-dcbb9e9d.safetensors", vgg19())
    write_toy(folder / "RN50.safetensors", clip_resnet())
    write_toy(folder / "resnet50-0676ba61.safetensors", resnet())


# --- a toy RAM: 32 x 32 pixels, 17 tokens of 12 features, 7 tags ----------------------------------------

RAM_TAGS = ["bird", "cat", "coffee cup", "dog", "table", "tree", "water"]


def linear(shapes, name, out, into):
    shapes[f"{name}.weight"], shapes[f"{name}.bias"] = [out, into], [out]


def norm(shapes, name, width):
    shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = [width]


def _swin_blocks(shapes, stage, width, heads):
    for block in range(2):
        at = f"visual_encoder.layers.{stage}.blocks.{block}."
        shapes[at + "attn.relative_position_bias_table"] = [49, heads]  # windows of 4 x 4
        for name, out, into in [("attn.qkv", 3 * width, width), ("attn.proj", width, width),
                                ("mlp.fc1", 4 * width, width), ("mlp.fc2", width, 4 * width)]:
            linear(shapes, at + name, out, into)
        for name in ["norm1", "norm2"]:
            norm(shapes, at + name, width)


def ram(tags=len(RAM_TAGS), width=16, question=8, memory=12):
    shapes = {"label_embed": [tags, 6], "visual_encoder.patch_embed.proj.weight": [width, 3, 4, 4],
              "visual_encoder.patch_embed.proj.bias": [width],
              "visual_encoder.layers.0.downsample.reduction.weight": [2 * width, 4 * width]}
    norm(shapes, "visual_encoder.patch_embed.norm", width)
    norm(shapes, "visual_encoder.layers.0.downsample.norm", 4 * width)
    norm(shapes, "visual_encoder.norm", 2 * width)
    _swin_blocks(shapes, 0, width, 1)
    _swin_blocks(shapes, 1, 2 * width, 2)
    for name, out, into in [("image_proj", memory, 2 * width), ("wordvec_proj", question, 6), ("fc", 1, question)]:
        linear(shapes, name, out, into)
    for layer in range(2):
        at = f"tagging_head.encoder.layer.{layer}."
        for name, out, into in [("crossattention.self.query", question, question),
                                ("crossattention.self.key", question, memory),
                                ("crossattention.self.value", question, memory),
                                ("crossattention.output.dense", question, question),
                                ("intermediate.dense", 2 * question, question),
                                ("output.dense", question, 2 * question)]:
            linear(shapes, at + name, out, into)
        for name in ["crossattention.output.LayerNorm", "output.LayerNorm"]:
            norm(shapes, at + name, question)
    return shapes


def dape(width=16, question=8, memory=12, rank=2):
    """LoRA for `ram`."""
    shapes = {}
    for stage in range(2):
        for block in range(2):
            at, features = f"visual_encoder.layers.{stage}.blocks.{block}.attn.qkv.", width * 2 ** stage
            shapes[at + "lora_A"], shapes[at + "lora_B"] = [2 * rank, features], [2 * features, rank]
    for layer in range(2):
        for name, into in [("query", question), ("key", memory)]:
            at = f"tagging_head.encoder.layer.{layer}.crossattention.self.{name}."
            shapes[at + "lora_A"], shapes[at + "lora_B"] = [rank, into], [question, rank]
    return shapes


def write_ram(folder, thresholds=(0.5,) * len(RAM_TAGS)):
    """RAM, DAPE and the tag lists, under their names in the catalogue."""
    write_toy(folder / "ram_swin_large_14m.safetensors", ram())
    write_toy(folder / "DAPE.safetensors", dape())
    write_tag_lists(folder, thresholds)


def write_tag_lists(folder, thresholds):
    (folder / "ram_tag_list.txt").write_text("\n".join(RAM_TAGS))
    (folder / "ram_tag_list_threshold.txt").write_text("".join(f"{t}\n" for t in thresholds))


# --- networks that judge, for programs that take their official names ------------------------------------


def rrdb(features=8, growth=4):
    """RRDBNet, x4, of one block, with Real-ESRGAN's names."""
    shapes = {}
    convs = [("conv_first", features, 3), ("conv_body", features, features), ("conv_up1", features, features),
             ("conv_up2", features, features), ("conv_hr", features, features), ("conv_last", 3, features)]
    for part in range(1, 4):
        convs += [(f"body.0.rdb{part}.conv{i + 1}", growth if i < 4 else features, features + i * growth) for i in range(5)]
    for name, out, into in convs:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = [out, into, 3, 3], [out]
    return shapes


def musiq(hidden=12, stem=64):
    shapes = {"conv_root.weight": [stem, 3, 7, 7], "block1.conv1.weight": [stem, stem, 1, 1],
              "block1.conv2.weight": [stem, stem, 3, 3], "block1.conv3.weight": [4 * stem, stem, 1, 1],
              "block1.conv_proj.weight": [4 * stem, stem, 1, 1], "transformer_encoder.cls": [1, 1, hidden],
              "transformer_encoder.posembed_input.position_emb": [1, 100, hidden],
              "transformer_encoder.scaleembed_input.scale_emb": [3, hidden]}
    for name, width in [("gn_root", stem), ("block1.gn1", stem), ("block1.gn2", stem), ("block1.gn3", 4 * stem),
                        ("block1.gn_proj", 4 * stem), ("transformer_encoder.encoder_norm", hidden)]:
        norm(shapes, name, width)
    linear(shapes, "embedding", hidden, 4 * stem * 8 * 8)
    linear(shapes, "head", 1, hidden)
    at = "transformer_encoder.transformer.encoderblock_0."
    for name in ["norm1", "norm2"]:
        norm(shapes, at + name, hidden)
    for name in ["query", "key", "value", "out"]:
        linear(shapes, f"{at}attention.{name}", hidden, hidden)
    linear(shapes, f"{at}mlp.fc1", 2 * hidden, hidden)
    linear(shapes, f"{at}mlp.fc2", hidden, 2 * hidden)
    return shapes


# a block's branches: {suffix of the name: (channels out, kernel)}; each reads the one before it where the suffix has a
# number above 1 (of 2a and 2b both read 1)
_INCEPTION_A = {"1x1": (64, (1, 1)), "5x5_1": (48, (1, 1)), "5x5_2": (64, (5, 5)), "3x3dbl_1": (64, (1, 1)),
                "3x3dbl_2": (96, (3, 3)), "3x3dbl_3": (96, (3, 3))}
_INCEPTION_B = {"3x3": (384, (3, 3)), "3x3dbl_1": (64, (1, 1)), "3x3dbl_2": (96, (3, 3)), "3x3dbl_3": (96, (3, 3))}
_INCEPTION_D = {"3x3_1": (192, (1, 1)), "3x3_2": (320, (3, 3)), "7x7x3_1": (192, (1, 1)), "7x7x3_2": (192, (1, 7)),
                "7x7x3_3": (192, (7, 1)), "7x7x3_4": (192, (3, 3))}
_INCEPTION_E = {"1x1": (320, (1, 1)), "3x3_1": (384, (1, 1)), "3x3_2a": (384, (1, 3)), "3x3_2b": (384, (3, 1)),
                "3x3dbl_1": (448, (1, 1)), "3x3dbl_2": (384, (3, 3)), "3x3dbl_3a": (384, (1, 3)),
                "3x3dbl_3b": (384, (3, 1))}


def _inception_c(width):
    wide, high = (1, 7), (7, 1)
    return {"1x1": (192, (1, 1)), "7x7_1": (width, (1, 1)), "7x7_2": (width, wide), "7x7_3": (192, high),
            "7x7dbl_1": (width, (1, 1)), "7x7dbl_2": (width, high), "7x7dbl_3": (width, wide),
            "7x7dbl_4": (width, high), "7x7dbl_5": (192, wide)}


def inception():
    """pytorch-fid's Inception at its full width, which nothing in its keys would change: 48 MB."""
    shapes = {}

    def add(name, out, into, kernel):
        _normed(shapes, f"{name}.conv", f"{name}.bn", [out, into, *kernel])

    for name, out, into, side in [("1a_3x3", 32, 3, 3), ("2a_3x3", 32, 32, 3), ("2b_3x3", 64, 32, 3), ("3b_1x1", 80, 64, 1),
                                  ("4a_3x3", 192, 80, 3)]:
        add(f"Conv2d_{name}", out, into, (side, side))
    blocks = [("5b", 192, _INCEPTION_A, 32), ("5c", 256, _INCEPTION_A, 64), ("5d", 288, _INCEPTION_A, 64),
              ("6a", 288, _INCEPTION_B, 0), ("6b", 768, _inception_c(128), 192), ("6c", 768, _inception_c(160), 192),
              ("6d", 768, _inception_c(160), 192), ("6e", 768, _inception_c(192), 192), ("7a", 768, _INCEPTION_D, 0),
              ("7b", 1280, _INCEPTION_E, 192), ("7c", 2048, _INCEPTION_E, 192)]
    for block, channels, branches, pool in blocks:
        made = {}
        for suffix, (out, kernel) in branches.items():
            branch, _, step = suffix.partition("_")
            number = int(step.rstrip("ab") or 1)
            add(f"Mixed_{block}.branch{suffix}", out, channels if number == 1 else made[branch, number - 1], kernel)
            made[branch, number] = out
        if pool:
            add(f"Mixed_{block}.branch_pool", pool, channels, (1, 1))
    return shapes


def write_clip(folder):
    """CLIP for prompts: its vocabulary has as many rules as the real one, each of which joins two bytes."""
    write_toy(folder / "RN50.safetensors", clip_resnet(vocabulary=49408))
    spellings = [chr(code) for code in [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x144)]]
    rules = [f"{a} {b}" for a in spellings for b in spellings]
    with gzip.open(folder / "bpe_simple_vocab_16e6.txt.gz", "wt", encoding="utf-8") as file:
        file.write("#version\n" + "".join(f"{rule}\n" for rule in rules[:48894]))


def write_dists(folder):
    """DISTS's own weights and its VGG-16, whose widths they are for."""
    write_toy(folder / "vgg16-397923af.safetensors", vgg16())
    write_safetensors(folder / "dists.safetensors", {name: [1, 1475, 1, 1] for name in ["alpha", "beta"]}, positive=True)


def vgg16():
    shapes, number, channels = {}, 0, 3
    for width, count in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(count):
            shapes[f"features.{number}.weight"], shapes[f"features.{number}.bias"] = [width, channels, 3, 3], [width]
            channels, number = width, number + 2
        number += 1
    return shapes


def _blocks(shapes, at, width, hidden, heads=None):
    for name, out, into in [("attn.qkv", 3 * width, width), ("attn.proj", width, width), ("mlp.fc1", hidden, width),
                            ("mlp.fc2", width, hidden)]:
        linear(shapes, at + name, out, into)
    for name in ["norm1", "norm2"]:
        norm(shapes, at + name, width)
    if heads:
        shapes[f"{at}attn.relative_position_bias_table"] = [49, heads]  # windows of 4 x 4


def maniqa(width=16, side=8, patch=8):
    """For crops of side * patch pixels."""
    patches = side * side
    shapes = {"vit.cls_token": [1, 1, width], "vit.pos_embed": [1, 1 + patches, width],
              "vit.patch_embed.proj.weight": [width, 3, patch, patch], "vit.patch_embed.proj.bias": [width]}
    for block in range(10):
        _blocks(shapes, f"vit.blocks.{block}.", width, 2 * width)
    for stage, (into, out) in enumerate([(4 * width, width), (width, width // 2)], 1):
        for name in ["c_q", "c_k", "c_v"]:
            linear(shapes, f"tablock{stage}.0.{name}", patches, patches)
        shapes[f"conv{stage}.weight"], shapes[f"conv{stage}.bias"] = [out, into, 1, 1], [out]
        group = f"swintransformer{stage}.layers.0."
        _blocks(shapes, f"{group}blocks.0.", out, 2 * width, 2)
        shapes[f"{group}conv.weight"], shapes[f"{group}conv.bias"] = [out, out, 3, 3], [out]
    for head in ["fc_score", "fc_weight"]:
        linear(shapes, f"{head}.0", width // 2, width // 2)
        linear(shapes, f"{head}.3", 1, width // 2)
    return shapes


def write_ilniqe(path):
    """The model of pristine pictures is all zeros, and its covariance the identity."""
    write_safetensors(path, {"mu_pris_param": [430], "cov_pris_param": [430, 430], "principle_vectors": [468, 430],
                             "mean_of_sample_data": [468]}, largest=2.0 ** -6)
    data = bytearray(path.read_bytes())
    length = int.from_bytes(data[:8], "little")
    begin = 8 + length + 2 * 430
    identity = b"".join(b"\0\0" * i + b"\x00\x3c" + b"\0\0" * (429 - i) for i in range(430))
    data[begin:begin + len(identity)] = identity
    path.write_bytes(data)
