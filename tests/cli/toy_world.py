"""What the commands of man pages and of the documentation find: a folder of pictures, tables and models under the names
that they have there. What would take days, or need weights of gigabytes, is made small by SMALLER alone: options that are
put in behind a program's name."""

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

from harness import BIN, ROOT, SAMPLES, vips
from seesr_models import BASE_UNET, unet, write_models, write_part
from weights import (RAM_TAGS, inception, musiq, rrdb, vgg19, write_clip, write_dists, write_lpips, write_toy)

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
    "sr-train gan --config srvgg-gan": f"{RUN} {NARROW} --set generator.convs=2 --set discriminator.width=4",
    "sr-train gan --config sfd-real": f"{RUN} {NARROW} --set generator.blocks=1 --set generator.growth=4 "
                                      "--set sfd.width=4",
    # a few pictures have few neighbours
    "sr-iqa tsne > map.tsv": "--perplexity 2 --iterations 20",
    "sr-train dape --config dape": RUN,
    "sr-train seesr --config seesr": f"{RUN} --set accumulate=1",
}


def made_smaller(command):
    return re.sub("|".join(map(re.escape, SMALLER)), lambda found: f"{found[0]} {SMALLER[found[0]]}", command)


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
    for name in ["photo.jpg", "in.png", "noisy.jpg", "a.png", "out.png", "reference.png", "sr.png", "hr.png", "scan.tif"]:
        files.picture(name, 200, 152)
    files.picture("a.jpg", 50, 38)
    files.picture("a_hr.png", 200, 152)
    files.pictures("album/summer", [*THREE, "a.jpg"], 100, 104)
    vips("bandjoin_const", files.folder / "in.png", files.folder / "logo.png", 128)
    for folder in ["HR", "DIV2K/HR", "DF2K/HR", "Set5/HR", "Urban100/HR", "COCO/train2017", "LSDIR", "pairs/gt", "hr",
                   "val2017", "SR", "LR", "ours", "theirs", "bsrgan", "stablesr"]:
        files.pictures(folder, THREE)
    for folder in ["DIV2K", "DF2K"]:
        files.pictures(folder, ["large.png"], 520, 520)
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
    for name in ["koniq.csv", "opinions.csv"]:
        files.text(name, "image_name,MOS\n0.png,3.1\n1.png,2.5\n2.png,3.7\n")
    files.text("PIPAL/Train_Label/A0001.txt", "".join(f"{name},{mos}\n" for name, mos in rated))
    for name, reader in [("real.tsv", 0), ("fake.tsv", 100)]:
        files.text(name, "file\tf1\tf2\n" + "".join(f"{reader + i}.png\t{i * i % 17}\t{reader + i % 5}\n" for i in range(40)))
    files.text("votes-Ada.tsv", "picture\tchoice\tshown\tseconds\treader\tnumber\n"
                                "0.png\tours\ttheirs,ours\t3.2\tAda\t\n1.png\ttheirs\tours,theirs\t2.1\tAda\t\n")
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
    write_dists(folder)
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
    for name in ["RealESRGAN_x4plus.pth", "my-finetune.pth"]:  # the reader goes by content
        shutil.copy(path / "weights/RealESRGAN_x4plus.safetensors", path / "files" / name)
    for name in ["scripts", "share"]:
        (path / "files" / name).symlink_to(ROOT / name)
    for run, preset in [("run", "sed-p"), ("sfd", "sfd-real")]:
        arguments = [f"sr-train gan --config {preset}", "--data", "HR", "-o", run, "-q"]
        shell(" ".join(arguments), path / "files", path / "weights").check_returncode()
    return path


def copy_files(folder):
    """A copy of the files, to work in."""
    shutil.copytree(given() / "files", folder, symlinks=True)


def shell(command, folder, weights=None):
    """Runs it as it is but for what SMALLER says."""
    weights = weights or given() / "weights"
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "SR_WEIGHTS": str(weights)}
    return subprocess.run(["bash", "-eo", "pipefail", "-c", made_smaller(command)], cwd=folder, env=environment,
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=300, check=False)
