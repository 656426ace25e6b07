"""Checkpoints that tests make themselves: right in names and shapes, random in values."""

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


def write_safetensors(path, shapes, positive=False, largest=0.0625):
    """A file of {name: shape}."""
    header, data = {}, []
    offset = 0
    for seed, (name, shape) in enumerate(shapes.items()):
        values = half_floats(math.prod(shape), seed, largest)
        if positive:
            values = bytes(byte & 0x7F if i % 2 else byte for i, byte in enumerate(values))
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, offset + len(values)]}
        offset += len(values)
        data.append(values)
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))


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
