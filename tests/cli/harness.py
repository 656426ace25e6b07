"""Drives the built programs as a person would. SR_BIN is the folder they are in (the tests' CMakeLists sets it)."""

import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("SR_BIN", ROOT / "build/release"))
DATA = ROOT.parent / "shared/data"
PROGRAMS = ["sr-upscale", "sr-diffuse", "sr-metrics", "sr-degrade", "sr-iqa", "sr-tag", "sr-train"]
SUBCOMMANDS = [("sr-metrics", "study"), ("sr-metrics", "votes"), ("sr-iqa", "correlate"), ("sr-iqa", "fit-niqe"),
               ("sr-iqa", "features"), ("sr-iqa", "tsne"), ("sr-tag", "eval"), ("sr-train", "psnr"),
               ("sr-train", "gan"), ("sr-train", "dape"), ("sr-train", "seesr")]
SAMPLES = ROOT / "share/samples"


def needs(tool):
    return unittest.skipUnless(shutil.which(tool), f"needs {tool}: apt-get install {tool}")


def run(*command, **options):
    """Runs a program of ours (by name) or any other; never raises for its exit status."""
    command = [str(BIN / command[0]) if command[0] in PROGRAMS else command[0], *map(str, command[1:])]
    options.setdefault("stdin", subprocess.DEVNULL if "input" not in options else None)
    return subprocess.run(command, stdout=options.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
                          **{k: v for k, v in options.items() if v is not None}, timeout=300, check=False)


def shell(line, **options):
    """A shell pipeline with the programs on its PATH."""
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    return subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, env=environment, timeout=300,
                          check=False, **options)


def vips(*arguments):
    subprocess.run(["vips", *map(str, arguments)], check=True, capture_output=True)


def header(path, field):
    """A field of the picture's header, as libvips tells it; None where it is not there."""
    result = subprocess.run(["vipsheader", "-f", field, str(path)], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        return None
    value = result.stdout.strip()
    named = re.search(r"VIPS_(?:FORMAT|INTERPRETATION)_(\w+)", value)  # as some versions print enumerations
    return named[1].lower() if named else value


def size(path):
    return int(header(path, "width")), int(header(path, "height"))


def pixels(path):
    """Samples of a picture as a flat list of numbers, and the number of bands."""
    with tempfile.NamedTemporaryFile(suffix=".raw") as raw:
        vips("rawsave", path, raw.name)
        data = pathlib.Path(raw.name).read_bytes()
    kind = {"uchar": "B", "ushort": "H", "float": "f"}[header(path, "format")]
    return struct.unpack(f"<{len(data) // struct.calcsize(kind)}{kind}", data), int(header(path, "bands"))


def rows_of(result):
    """Fields of the lines that a program printed, without facts (`# model: ram`)."""
    return [line.split("\t") for line in result.stdout.decode().splitlines() if not line.startswith("#")]


def tree(folder):
    """Every file below the folder with its bytes."""
    folder = pathlib.Path(folder)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def with_exif(jpeg, orientation, description=b"a description\0"):
    """The JPEG with an EXIF block that says how to turn it, and has a description."""
    value_offset = 8 + 2 + 2 * 12 + 4
    entries = struct.pack("<HHII", 0x010E, 2, len(description), value_offset)
    entries += struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 2) + entries + struct.pack("<I", 0) + description
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)

    def succeed(self, *command, **options):
        result = run(*command, **options)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        return result

    def fail_with(self, status, text, *command, lines=1, **options):
        """Expects the exit status, and `text` among messages on standard error, a line each."""
        result = run(*command, **options)
        message = result.stderr.decode(errors="replace")
        self.assertEqual(result.returncode, status, message)
        self.assertIn(text, message)
        self.assertEqual(message.count("\n"), lines, message)
        return result

    def crop(self, name, width=40, height=30, sample="chelsea.png"):
        """A small picture of the test's own, in the format of its name."""
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        vips("crop", SAMPLES / sample, path, 60, 40, width, height)
        return path

    def scaled(self, name, width, height, sample="coffee.png"):
        """A picture of any size of the test's own."""
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        vips("thumbnail", SAMPLES / sample, path, width, "--height", height, "--size", "force")
        return path
