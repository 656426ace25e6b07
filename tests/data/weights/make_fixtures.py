#!/usr/bin/python3
"""Makes the checkpoints of this folder (with PyTorch 1.13; the files are committed).

Values are counted up so that the tests can say what each tensor must hold. The legacy files and the scripts name
things by memory addresses, so those differ from run to run; the others come out the same.
"""
import argparse
import collections
import io
import json
import os
import pickle
import struct
import zipfile

import numpy
import torch

HERE = os.path.dirname(os.path.abspath(__file__))


def here(name):
    return os.path.join(HERE, name)


def counted(*shape, dtype=torch.float32):
    """0, 1/4, 2/4, ... in this shape."""
    count = int(numpy.prod(shape, dtype=int))
    return (torch.arange(count, dtype=torch.float32) / 4).reshape(shape).to(dtype)


def every_type():
    """A table with each element type, a scalar, an empty tensor, and views that share a storage."""
    base = counted(3, 4)
    return collections.OrderedDict(
        [
            ("conv.weight", counted(2, 3, 3, 3)),
            ("conv.bias", -counted(2)),
            ("f64", counted(3, dtype=torch.float64)),
            ("f16", counted(5, dtype=torch.float16)),
            ("bf16", counted(5, dtype=torch.bfloat16)),
            ("i64", torch.tensor([2**40, -3])),
            ("i32", torch.tensor([2**30, -3], dtype=torch.int32)),
            ("i16", torch.tensor([2**14, -3], dtype=torch.int16)),
            ("i8", torch.tensor([127, -3, 5], dtype=torch.int8)),
            ("u8", torch.tensor([255, 3, 7], dtype=torch.uint8)),
            ("bool", torch.tensor([True, False, True])),
            ("scalar", torch.tensor(2.5)),
            ("empty", torch.zeros(0, 3)),
            ("shared.base", base),
            ("shared.transposed", base.t()),
            ("shared.part", base[1:, ::2]),
            ("expanded", torch.tensor([1.5]).expand(4)),
            ("parameter", torch.nn.Parameter(counted(2, 2))),
        ]
    )


def save(value, name, new=True):
    torch.save(value, here(name), _use_new_zipfile_serialization=new)


def every_type_files():
    save(every_type(), "every_type_zip.pth")
    save(every_type(), "every_type_legacy.pth", new=False)
    with zipfile.ZipFile(here("every_type_zip.pth")) as stored:
        with zipfile.ZipFile(here("every_type_deflated.pth"), "w", zipfile.ZIP_DEFLATED) as packed:
            for name in stored.namelist():
                entry = zipfile.ZipInfo(name)  # of a fixed date
                packed.writestr(entry, stored.read(name), zipfile.ZIP_DEFLATED)


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(2)
        self.register_buffer("table", counted(4))

    def forward(self, x):
        return self.norm(x) + self.table.sum()


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 2, 1)
        self.blocks = torch.nn.Sequential(Block(), Block())
        self.size = 7

    def forward(self, x):
        return self.blocks(self.conv1(x)) * self.size


def network():
    made = Network()
    with torch.no_grad():
        made.conv1.weight.copy_(counted(2, 3, 1, 1))
        made.conv1.bias.copy_(-counted(2))
        made.blocks[1].norm.weight.copy_(counted(2) + 3)
    return made


class Gain(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(counted(3))


def module_files():
    save(network(), "module_zip.pth")
    save({"net": Gain()}, "module_legacy.pth", new=False)  # brings the class's source along
    torch.jit.script(network()).save(here("scripted.pt"))
    torch.jit.script(network().half()).save(here("scripted_half.pt"))


def wrapped_files():
    ema = {"body.0.weight": counted(2, 2), "body.0.bias": counted(2)}
    last = {"body.0.weight": counted(2, 2) + 100, "body.0.bias": counted(2) + 100}
    save({"params": last, "params_ema": ema}, "params_ema.pth")
    save({"params_ema": None, "params": ema}, "params_ema_none.pth")
    save({"my_network": ema}, "lone_wrapper.pth")
    save({"encoder": ema, "decoder": last}, "two_tables.pth")
    save({"iteration": 3, "weights_of_it": ema, "log": {"loss": [1.5, 2.5]}}, "one_table_among_others.pth")
    averaged = {"module.netG." + key: value for key, value in ema.items()}
    save(dict(averaged, n_averaged=torch.tensor(5)), "prefixed_average.pth")
    save({"module." + key: value for key, value in ema.items()}, "prefixed_legacy.pth", new=False)
    save({"state_dict": {"model": last, "params": ema}}, "nested.pth")


def training_file():
    """What a trainer leaves: options, an optimizer, counters, and the network one level down."""
    made = network()
    optimizer = torch.optim.Adam(made.parameters(), lr=0.5)
    made(torch.ones(1, 3, 2, 2)).sum().backward()
    optimizer.step()
    with torch.no_grad():
        made.conv1.weight.copy_(counted(2, 3, 1, 1))
    save(
        {
            "epoch": 3,
            "best": numpy.float64(31.5),
            "history": numpy.arange(3.0),
            "args": argparse.Namespace(lr=0.5, names=("a", "b"), huge=2**80, nothing=None),
            "kinds": {1, 2, frozenset([3])},
            "counter": collections.Counter("aab"),
            "grouped": collections.defaultdict(list, {"x": [1]}),
            "device": torch.device("cuda:0"),
            "type": torch.float16,
            "optimizer": optimizer.state_dict(),
            "model": {"module." + key: value for key, value in made.state_dict().items()},
        },
        "training.pth",
    )


def array_files():
    arrays = {
        "rows": numpy.arange(6, dtype=numpy.float32).reshape(2, 3),
        "columns": numpy.asfortranarray(numpy.arange(6, dtype=numpy.float64).reshape(2, 3)),
        "bytes": numpy.array([1, 200], dtype=numpy.uint8),
        "words": numpy.array(["no", "numbers"]),
        "swapped": numpy.arange(3, dtype=">f4"),
        "note": 'text with \\ and "\u00e9\u4e2d\n',
    }
    for protocol in (0, 2, 5):
        with open(here(f"arrays_protocol{protocol}.pkl"), "wb") as file:
            pickle.dump(arrays, file, protocol=protocol)


class Windowed:
    """A tensor as PyTorch 0.3 saved it: three arguments fewer, its storage a window into a larger one."""

    def __init__(self, window, size):
        self.window, self.size = window, size

    def __reduce__(self):
        return torch._utils._rebuild_tensor, (Reference(self.window), 1, self.size, (1,))


class Reference:
    def __init__(self, window):
        self.window = window


class OldPickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Reference):
            return ("storage", torch.FloatStorage, "123", "cuda:0", 12, ("124", *value.window))


def old_windows_file():
    file = io.BytesIO()
    for header in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}):
        pickle.dump(header, file, protocol=2)
    OldPickler(file, protocol=2).dump({"tail": Windowed((4, 8), (3,)), "head": Windowed((0, 4), (2,))})
    pickle.dump(["123"], file, protocol=2)
    file.write(struct.pack("<q", 12) + counted(12).numpy().tobytes())
    with open(here("old_windows.pth"), "wb") as out:
        out.write(file.getvalue())


class Command:
    def __reduce__(self):
        return os.system, ("touch /tmp/sr-tools-pickle-ran",)


def evil_files():
    with open(here("evil.pth"), "wb") as file:
        file.write(b"cos\nsystem\n(S'touch /tmp/sr-tools-pickle-ran'\ntR.")
    save({"params": {"weight": counted(2), "bias": Command()}}, "evil_inside.pth")
    save(Command(), "evil_legacy.pth", new=False)


def safetensors_file():
    """Written by hand after the format's description, to be independent of the reader under test."""
    tensors = {
        "f32": ("F32", [2, 2], struct.pack("<4f", 0, 0.25, 0.5, 0.75)),
        "bf16": ("BF16", [2], b"\x80\x3f\x00\xc0"),
        "flags": ("BOOL", [3], b"\x01\x00\x01"),
        "unaligned": ("I32", [2], struct.pack("<2i", 7, -7)),
        "none": ("F16", [0, 4], b""),
        "one": ("F64", [], struct.pack("<d", 2.5)),
    }
    header, data = {"__metadata__": {"format": "pt", "scale": "4"}}, b""
    for name, (dtype, shape, values) in tensors.items():
        extent = [len(data), len(data) + len(values)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": extent}
        data += values
    text = json.dumps(header).encode()
    with open(here("plain.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    torch.manual_seed(0)
    every_type_files()
    module_files()
    wrapped_files()
    training_file()
    array_files()
    old_windows_file()
    evil_files()
    safetensors_file()
