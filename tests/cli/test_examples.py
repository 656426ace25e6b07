"""Every command under EXAMPLES of the man pages is run as it stands there, on toy files of the names that it has.

What would take days, or need weights of gigabytes, is made small by SMALLER alone: options that are put in behind a
program's name. Nothing else is changed, and nothing is left out."""

import atexit
import functools
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import BIN, PROGRAMS, ROOT, SAMPLES, SUBCOMMANDS, vips
from seesr_models import BASE_UNET, unet, write_models, write_part
from weights import RAM_TAGS, inception, musiq, rrdb, vgg19, write_clip, write_lpips, write_toy

MAN = ROOT / "man"
RUN = "--iterations 2 --batch 1 --crop 64 --threads 1 --set data.workers=1 "
NARROW = "--set generator.start= --set generator.features=8 "

# {what a command contains: what is put in behind it}
SMALLER = {
    # fifty steps, on pictures enlarged to 512 pixels first
    "sr-diffuse": "--steps 2 --process-size 64 --threads 1",
    # training takes days; networks of full width take minutes. What is resumed has the settings it began with
    "sr-train psnr --config srvgg": f"{RUN} {NARROW} --set generator.convs=2",
    "sr-train gan --config sed-p": f"{RUN} {NARROW} --set generator.blocks=1 --set generator.growth=4 "
                                   "--set discriminator.width=4 --set discriminator.fusion.head_width=8",
    "sr-train dape --config dape": RUN,
    "sr-train seesr --config seesr": f"{RUN} --set accumulate=1",
}


def made_smaller(command):
    return re.sub("|".join(map(re.escape, SMALLER)), lambda found: f"{found[0]} {SMALLER[found[0]]}", command)


def pages():
    names = PROGRAMS + [f"{program}-{command}" for program, command in SUBCOMMANDS]
    return [MAN / f"{name}.1" for name in names]


def examples(page):
    """The commands of a page's EXAMPLES as one would copy them."""
    _, _, section = page.read_text().partition("\n.Sh EXAMPLES\n")
    section = section.split("\n.Sh ")[0]
    blocks = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", section, re.M | re.S)
    return [re.sub(r"^\\&", "", block).replace(r"\-", "-").replace(r"\e", "\\").strip() for block in blocks]


# --- files of the names that the examples have --------------------------------------------------------


class Files:
    """Makes them in a folder. Every picture differs from the others."""

    def __init__(self, folder):
        self.folder = folder
        self.samples = itertools.cycle(["chelsea.png", "coffee.png", "rocket.jpg"])

    def picture(self, name, width=160, height=144):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        vips("thumbnail", SAMPLES / next(self.samples), path, width, "--height", height, "--size", "force")

    def pictures(self, folder, names, *size):
        for name in names:
            self.picture(f"{folder}/{name}", *size)

    def text(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


THREE = ["0.png", "1.png", "2.png"]
RATED = [f"A0001_{kind:02d}_{number:02d}.bmp" for kind in [3, 6] for number in range(10)]


def write_pictures(files):
    for name in ["photo.jpg", "in.png", "noisy.jpg", "a.png", "out.png", "reference.png"]:
        files.picture(name, 200, 152)
    files.picture("a.jpg", 50, 38)
    files.picture("a_hr.png", 200, 152)
    files.pictures("album/summer", THREE, 40, 32)
    for folder in ["HR", "DIV2K/HR", "DF2K/HR", "Set5/HR", "COCO/train2017", "LSDIR", "pairs/gt", "hr", "val2017"]:
        files.pictures(folder, THREE)
    files.pictures("DIV2K", ["large.png"], 520, 520)
    files.pictures("pairs/sr_bicubic", THREE)
    files.pictures("lr", THREE, 40, 36)
    files.pictures("results", THREE)
    for folder in ["photos", "pristine", "koniq"]:
        files.pictures(folder, THREE, 200, 152)


def write_tables(files):
    files.text("pairs.tsv", "out.png\treference.png\n")
    rated = [(name, 20 + 3 * i % 7 + i) for i, name in enumerate(RATED)]
    files.text("scores.tsv", "file\tniqe\n" + "".join(f"{name}\t{30 - mos + i % 3}\n" for i, (name, mos) in enumerate(rated)))
    table = "image_name,MOS\n" + "".join(f"{name},{mos}\n" for name, mos in rated)
    files.text("mos.csv", table)
    files.text("koniq10k_scores_and_distributions.csv", table)
    files.text("koniq.csv", "image_name,MOS\n0.png,3.1\n1.png,2.5\n2.png,3.7\n")
    files.text("PIPAL/Train_Label/A0001.txt", "".join(f"{name},{mos}\n" for name, mos in rated))
    files.text("labels.tsv", "".join(f"{name}\tbird, cat\n" for name in THREE))
    files.text("coco.tsv", "bird\tbird\n")
    files.text("instances_val2017.json", json.dumps({
        "images": [{"id": i, "file_name": name} for i, name in enumerate(THREE)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(RAM_TAGS[:2])],
        "annotations": [{"id": i, "image_id": i, "category_id": i % 2} for i in range(3)]}))
    for name in THREE:
        files.text(f"pairs/tag/{name.replace('.png', '.txt')}", "bird, cat")


def write_weights(folder):
    write_models(folder)
    write_clip(folder)
    write_lpips(folder)
    write_toy(folder / "vgg19-dcbb9e9d.safetensors", vgg19())
    # training begins with Stable Diffusion's U-Net, which sr-diffuse has no use for
    write_part(folder / "stable-diffusion-2-base/unet", BASE_UNET, unet(BASE_UNET))
    write_toy(folder / "musiq_koniq_ckpt-e95806b9.safetensors", musiq())
    write_toy(folder / "pt_inception-2015-12-05-6726825d.safetensors", inception())
    write_toy(folder / "RealESRGAN_x4plus.safetensors", rrdb())
    for name, model in [("realesr-general-x4v3", "compact-x4"), ("realesr-general-wdn-x4v3", "compact-x4-real")]:
        shutil.copy(ROOT / f"share/models/{model}.safetensors", folder / f"{name}.safetensors")
    subprocess.run([BIN / "sr-iqa", "fit-niqe", SAMPLES, "--sharpness", "0.1", "-q", "-o",
                    folder / "niqe_pris_params.safetensors"], check=True)


@functools.cache
def given():
    """A folder with all of it."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    path = pathlib.Path(folder.name)
    files = Files(path / "files")
    write_pictures(files)
    write_tables(files)
    write_weights(path / "weights")
    # a checkpoint as downloaded: the reader goes by content
    shutil.copy(path / "weights/RealESRGAN_x4plus.safetensors", path / "files/RealESRGAN_x4plus.pth")
    return path


class Examples(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name) / "here"
        shutil.copytree(given() / "files", self.dir)

    def shell(self, command):
        environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "SR_WEIGHTS": str(given() / "weights")}
        return subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=self.dir, env=environment,
                              capture_output=True, timeout=300, check=False)

    def check_page(self, page):
        commands = examples(page)
        self.assertGreaterEqual(len(commands), 2, "EXAMPLES has commands")
        for command in commands:
            if "sr-train" in command and "--resume" not in command:
                shutil.rmtree(self.dir / "run", ignore_errors=True)  # a run of its own
            with self.subTest(command):
                result = self.shell(made_smaller(command))
                self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))

    def test_table_of_changes_is_used(self):
        commands = [command for page in pages() for command in examples(page)]
        for part in SMALLER:
            self.assertTrue(any(part in command for command in commands), part)


def add_pages():
    """A test a page, so that they can be run one by one."""
    for page in pages():
        name = f"test_{page.stem.replace('-', '_')}"
        setattr(Examples, name, lambda self, page=page: self.check_page(page))


add_pages()

if __name__ == "__main__":
    unittest.main()
