"""sr-train: presets, runs that are stopped and go on, what goes wrong."""

import collections
import hashlib
import json
import math
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from harness import BIN, ROOT, Case, pixels, rows_of, size, tree, vips
from seesr_models import BASE_UNET, CONTROLNET, UNET, VAE, controlnet, unet, vae, write_models, write_part
from weights import clip_resnet, scatter, tensors_of, write_extractors, write_lpips, write_ram, write_toy

PRESETS = ROOT / "share/presets"
STEPS = 20

RRDB = {"generator.features": 8, "generator.blocks": 1, "generator.growth": 4}
SE_RRDB = {**RRDB, "generator.blocks": 2, "generator.fused": [2]}
SWINIR = {"generator.embedding": 8, "generator.depths": [1, 1], "generator.heads": [2, 2]}
NAFNET = {"generator.width": 4, "generator.encoder_blocks": [1, 1], "generator.decoder_blocks": [1, 1]}
SRVGG = {"generator.features": 8, "generator.convs": 2, "optimiser.schedule.warm_up": 0}
NARROW = {"discriminator.width": 4}
SED = {**RRDB, **NARROW, "discriminator.fusion.head_width": 8}
SFD = {"sfd.width": 4}

# one of each kind: what makes it small
KINDS = {
    "psnr-rrdb": RRDB,
    "psnr-swinir": SWINIR,
    "srvgg": SRVGG,
    "gan-p": {**RRDB, **NARROW},
    "gan-u": {**RRDB, **NARROW},
    "gan-v": {**RRDB, **NARROW, "data.crop": 128},
    "esrgan": {**RRDB, **NARROW},
    "ldl": {**RRDB, **NARROW},
    "sed-p": SED,
    "sed-u": SED,
    "sed-v": {**SED, "data.crop": 128},
    "sed-a": SED,
    "sed-b": SED,
    "sed-c": SED,
    "sed-p-resnet50": SED,
    "realesrgan-ldl": {**RRDB, **NARROW},
    "se-rrdb": SE_RRDB,
    "sfd-rrdb": {**RRDB, **SFD},
    "nafnet-gopro": NAFNET,
    "nafnet-rain-sfd": {**NAFNET, **SFD},
    "srvgg-real": {**SRVGG, **NARROW, "gan_from": 10},
}
for kind in ["esrgan", "ldl"]:
    KINDS[kind]["data.crop"] = 128  # VGG-style discriminators know two sizes

SMALL = {"data.crop": 64, "data.batch": 2, "data.workers": 1, "optimiser.rate": 2e-3, "generator.start": "",
         "log_every": 1}
DAPE = {"data.crop": 64, "data.batch": 2, "data.workers": 1, "optimiser.rate": 1e-2, "optimiser.schedule.warm_up": 0,
        "log_every": 1}
SEESR = {"data.crop": 64, "data.batch": 2, "data.workers": 1, "accumulate": 1, "optimiser.rate": 1e-3, "log_every": 1}
NOTHING_DROPPED = {"dape__path_drop": 0, "dape__dropout": 0}
FIDELITY = {"loss.pixel.weight": 1}  # where adversaries pull too: so that it falls within a few steps


def settings(changes):
    return [argument for key, value in changes.items() for argument in ("--set", f"{key}={value}")]


def log_of(folder, kind="train"):
    lines = [json.loads(line) for line in (folder / "log.ndjson").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def mean(numbers):
    return sum(numbers) / len(numbers)


def tensor_bytes(file):
    """A digest of what a safetensors file holds; its header's texts left out."""
    raw = file.read_bytes()
    end = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:end])
    header.pop("__metadata__", None)
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode() + raw[end:]).hexdigest()


def digests(folder):
    return {name: hashlib.sha256(content).hexdigest() for name, content in tree(folder).items()}


class Training(Case):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.given = pathlib.Path(folder.name)
        write_extractors(cls.given / "weights")
        write_lpips(cls.given / "weights")
        write_ram(cls.given / "weights")
        for name in ["hr", "blurred"]:
            (cls.given / name).mkdir()
        for i, sample in enumerate(["rocket.jpg", "coffee.png", "chelsea.png"]):
            hr = cls.given / f"hr/{i}.png"
            vips("thumbnail", ROOT / "share/samples" / sample, hr, 160, "--height", 144, "--size", "force")
            vips("gaussblur", hr, cls.given / f"blurred/{i}.png", 2)

    def arguments(self, preset, out, *more, **changes):
        """Of a toy run of a preset; settings by their names with `__` for the dot."""
        command = "psnr" if preset not in KINDS or not self.adversarial(preset) else "gan"
        changes = {**SMALL, **(FIDELITY if command == "gan" else {}), **KINDS.get(preset, {}), **{k.replace("__", "."): v for k, v in changes.items()}}
        paired = ["--lr", self.given / "blurred"] if preset.startswith("nafnet") else []
        return ["sr-train", command, "--config", preset, "-o", out, "--data", self.given / "hr", *paired, "--weights",
                self.given / "weights", "--threads", "1", *settings(changes), *more]

    @staticmethod
    def adversarial(preset):
        return not (preset.startswith("psnr-") or preset in
                    ["srvgg", "compact-x4", "realesrnet", "swinir-real-psnr", "se-rrdb", "nafnet-gopro", "nafnet-rain"])

    def train(self, preset, out, *more, **changes):
        return self.succeed(*self.arguments(preset, out, *more, **changes))

    def short(self, out, *more, **changes):
        """A run of the cheapest kind, and how it is told."""
        return self.arguments("srvgg", out, "--precision", "fp32", *more, **{"data__crop": 32, **changes})

    def dape(self, out, *more, data="hr", precision="fp32", **changes):
        """A run of DAPE from the toy RAM, and how it is told."""
        changes = {**DAPE, **{k.replace("__", "."): v for k, v in changes.items()}}
        return ["sr-train", "dape", "--config", "dape", "-o", out, "--data", self.given / data, "--weights",
                self.given / "weights", "--threads", "1", "--precision", precision, *settings(changes), *more]

    def start(self, command):
        """Two processes on this machine, told as torchrun tells them."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        told = {"WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        processes = []
        for rank in range(2):
            environment = {**os.environ, **{k: str(v) for k, v in {**told, "RANK": rank, "LOCAL_RANK": rank}.items()}}
            processes.append(subprocess.Popen([str(BIN / command[0]), *map(str, command[1:])], env=environment,
                                              stderr=subprocess.PIPE))
        return processes

    def finish(self, processes):
        """Exit statuses and what was said."""
        said = [process.communicate(timeout=120)[1].decode() for process in processes]
        return [process.returncode for process in processes], said

    def check_terminated(self, told, command):
        """SIGTERM leaves a checkpoint, and the run goes on after it."""
        out = self.dir / "run"
        arguments = told(out, iterations=100000, checkpoint_every=100000)
        process = subprocess.Popen([str(BIN / arguments[0]), *map(str, arguments[1:])], stderr=subprocess.PIPE)
        while not (out / "log.ndjson").exists() or len(log_of(out)) < 5:
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        process.terminate()
        process.communicate(timeout=60)
        self.assertIn(process.returncode, [-signal.SIGTERM, 128 + signal.SIGTERM])
        stopped_at = int(self.newest(out)[:7])
        self.assertGreaterEqual(stopped_at, 5)
        result = self.succeed("sr-train", command, "-o", out, "--resume", "--iterations", stopped_at + 1, "-v", "--weights",
                              self.given / "weights", "--threads", "1")
        self.assertIn(f"goes on after iteration {stopped_at}", result.stderr.decode())
        self.assertEqual([line["iteration"] for line in log_of(out)], list(range(1, stopped_at + 2)))

    def check_killed(self, command, losses):
        options = {"iterations": 60, "checkpoint_every": 7}
        self.succeed(*command(self.dir / "whole", **options))
        killed, draws, kills = command(self.dir / "killed", "--resume", **options), random.Random(5), 0
        for _ in range(3):
            began = self.newest(self.dir / "killed")
            process = subprocess.Popen([str(BIN / killed[0]), *map(str, killed[1:])], stderr=subprocess.DEVNULL)
            while process.poll() is None and self.newest(self.dir / "killed") == began:
                time.sleep(0.002)
            time.sleep(draws.uniform(0, 0.03))
            process.kill()
            kills += process.wait() == -signal.SIGKILL
        self.assertGreater(kills, 0)
        self.succeed(*killed)
        whole, resumed = (self.dir / name / "checkpoints/0000060.safetensors" for name in ["whole", "killed"])
        self.assertEqual(whole.read_bytes(), resumed.read_bytes())
        wanted, found = (
            [{k: line[k] for k in ["iteration", *losses, "rate", "gradient_norm"]} for line in log_of(self.dir / name)]
            for name in ["whole", "killed"])
        self.assertEqual(wanted, found)

    @staticmethod
    def newest(folder):
        return max([path.name for path in (folder / "checkpoints").glob("*.safetensors")], default="")


class Presets(Training):
    def check_losses(self, preset, lines):
        self.assertEqual([line["iteration"] for line in lines], list(range(1, STEPS + 1)))
        for line in lines:
            for name, value in line.items():
                if name != "kind":
                    self.assertTrue(isinstance(value, (int, float)) and math.isfinite(value), f"{name} is {value}")
            self.assertGreater(line["gradient_norm"], 0)
        pixel = [line["pixel"] for line in lines]
        self.assertLess(mean(pixel[-5:]), mean(pixel[:5]), preset)

    def test_every_kind_trains(self):
        for preset in KINDS:
            with self.subTest(preset):
                out = self.dir / preset
                self.train(preset, out, "--iterations", STEPS, "--precision", "fp32")
                lines = log_of(out)
                self.check_losses(preset, lines)
                if self.adversarial(preset):
                    names = {"feat_d", "tg_d", "feat_d_real", "tg_d_fake"} if "sfd" in preset else {
                        "gan", "d_real", "d_fake"}
                    self.assertLessEqual(names | {"perceptual"}, set(lines[-1]))
                    last, first = lines[-1]["d_real" if "sfd" not in preset else "feat_d_real"], lines[10]
                    self.assertNotEqual(last, first["d_real" if "sfd" not in preset else "feat_d_real"])

    def test_bfloat16(self):
        for preset in ["sfd-rrdb"]:
            with self.subTest(preset):
                self.train(preset, self.dir / preset, "--iterations", STEPS, "--precision", "bf16")
                self.check_losses(preset, log_of(self.dir / preset))

    def test_every_preset_is_read(self):
        names = sorted(path.name[len("train-"):-len(".toml")] for path in PRESETS.glob("train-*.toml"))
        self.assertLessEqual(set(KINDS), set(names))
        readme = (PRESETS / "README.md").read_text()
        for name in names:
            command = name if name in ["dape", "seesr"] else "gan" if self.adversarial(name) else "psnr"
            with self.subTest(name):
                self.fail_with(2, "--data must name folders", "sr-train", command, "--config", name, "-o", self.dir / "x")
                self.assertIn(f"`{name}`", readme)

    def test_every_setting_is_documented(self):
        source = "".join((ROOT / "libcommon/training" / name).read_text()
                         for name in ["train_config.cpp", "generator.cpp", "run_config.cpp", "dape_config.cpp",
                                      "seesr_config.cpp"])
        asked = set(re.findall(r'(?:[.](?:number|integer|flag|texts?|numbers|integers|choice<\w+>|tables?|has)|weight)'
                               r'\(\s*"(\w+)"', source))
        self.assertGreater(len(asked), 70)
        rows = (PRESETS / "README.md").read_text().split("## The file")[-1].splitlines()
        told = {part for row in rows for key in re.findall(r"`([^`]*)`", row.replace("**`[", "`").replace("]`**", "`"))
                for part in re.findall(r"\w+", key)}
        self.assertEqual(asked - told, set())
        keys = {part for row in rows if row.startswith("| ") for key in re.findall(r"`([\w.]+)`", row.split("|")[1])
                for part in key.split(".")}
        self.assertEqual(keys - asked, set())


class Runs(Training):
    def test_killed_at_any_moment(self):
        """SIGKILL three times: the same bytes as a run that nobody stopped."""
        self.check_killed(self.short, ["pixel"])

    def test_sigterm_leaves_a_checkpoint(self):
        self.check_terminated(self.short, "psnr")

    def test_resume_starts_a_run_and_nothing_overwrites_one(self):
        out = self.dir / "run"
        self.succeed(*self.short(out, "--resume", iterations=3))
        self.fail_with(2, "there is a run already", *self.short(out, iterations=3))
        before = (out / "log.ndjson").read_bytes()
        self.succeed("sr-train", "psnr", "-o", out, "--resume", "--threads", "1")
        self.assertEqual((out / "log.ndjson").read_bytes(), before)
        self.fail_with(2, "--config must name", "sr-train", "psnr", "-o", self.dir / "none", "--resume")

    def test_results_are_taken(self):
        model, sfd = self.dir / "model.safetensors", self.dir / "sfd.safetensors"
        self.train("sfd-rrdb", self.dir / "run", "--iterations", 2, "--validate", self.given / "hr", "--export", model,
                   "--export-sfd", sfd, "--set", "validation.measures=lpips")
        picture = self.crop("a.png", 20, 12)
        self.succeed("sr-upscale", "-m", model, picture, "-o", self.dir / "b.png")
        self.assertEqual(size(self.dir / "b.png"), (80, 48))
        header = json.loads(sfd.read_bytes()[8:8 + int.from_bytes(sfd.read_bytes()[:8], "little")])
        self.assertEqual(header["tg_d.positive"]["shape"], [5, 32, 16])
        self.assertIn("feat_d.up3.conv1.weight_orig", header)
        scores = log_of(self.dir / "run", "validation")
        self.assertEqual([(line["iteration"], line["pictures"]) for line in scores], [(2, 3)])
        self.assertTrue(0 < scores[0]["psnr"] < 60 and 0 < scores[0]["ssim"] < 1, scores)
        self.assertGreater(scores[0]["lpips"], 0)
        self.assertEqual(len(list((self.dir / "run/samples/0000002").iterdir())), 3)
        width, height = size(self.dir / "run/samples/0000002.png")
        self.assertEqual(width, 8 + 3 * (160 + 8))  # LR, SR, HR
        self.assertGreater(height, 8 + 3 * (144 + 8))  # three pictures with a line of text each
        self.fail_with(2, "neither Feat-D nor prompts", *self.short(self.dir / "no", "--export-sfd", sfd, iterations=1))
        self.assertFalse((self.dir / "no").exists())

    def test_places_are_checked_before_the_training(self):
        (self.dir / "file").touch()
        for run, export, text in [("file", "x.safetensors", "file: Not a folder"),
                                  ("run", "no/x.safetensors", "no/x.safetensors: No such file"),
                                  ("run", "x.png", "x.png: a model is no picture"), ("run", "run", "run: Is a directory")]:
            result = self.fail_with(2, text, *self.short(run, "--export", export, iterations=1), cwd=self.dir)
            self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)
            self.assertLessEqual(set(tree(self.dir)), {"file"})
        self.succeed(*self.short(".", "--export", "./x.safetensors", iterations=1), cwd=self.dir / "run")
        self.assertLessEqual({"config.toml", "x.safetensors"}, set(tree(self.dir / "run")))

    def test_se_rrdb_is_used_as_it_was_validated(self):
        """The exported file is whole: sr-upscale makes of a picture what validation made of it, and others start with it."""
        lr, begun, model, half = (self.dir / name for name in ["lr", "begun.safetensors", "model.safetensors", "half.safetensors"])
        export = ["--iterations", 1, "--precision", "fp32", "--export-precision", "fp32", "--export"]
        self.succeed("sr-degrade", "-m", "bicubic", self.given / "hr", "-o", lr)
        self.train("se-rrdb", self.dir / "first", *export, begun)
        self.make_semantics_count(begun)
        self.train("se-rrdb", self.dir / "run", *export, model, "--validate", self.given / "hr", generator__start=begun,
                   optimiser__rate=1e-6, validation__lr=lr)
        used = self.upscaled(model, lr)
        self.assertLessEqual(self.difference(used, self.dir / "run/samples/0000001"), 1)
        self.assertEqual(rows_of(self.succeed("sr-upscale", "--summary", "-m", model))[1][::4], ["Se-RRDB", "whole"])

        self.assertLessEqual(self.difference(used, self.upscaled(model, lr, precision="bf16")), 8)
        tiles = [tree(self.upscaled(model, self.crop("wide.png", 150, 40), "--tile", 16)) for _ in range(2)]
        self.assertEqual(*tiles)

        self.succeed("sr-train", "psnr", "-o", self.dir / "run", "--resume", "--export", half, "--weights",
                     self.given / "weights", "--threads", "1")
        self.train("se-rrdb", self.dir / "again", "--iterations", 1, generator__start=half)
        other = self.dir / "clip.safetensors"
        write_toy(other, clip_resnet(), seed=9)
        self.fail_with(2, "other semantics than those of [semantics]", *self.arguments(
            "se-rrdb", self.dir / "other", semantics__weights=other, generator__start=model))

        scatter(model, ["semantics.layer3.0.bn3.weight"], 0.1)
        self.assertGreater(self.difference(used, self.upscaled(model, lr)), 8)

    @staticmethod
    def make_semantics_count(model):
        """Se-RRDB's fusion begins at zero, and with attention that looks everywhere alike."""
        scatter(model, [f"{name}.weight" for name in ["conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]], 0.2)
        attention = "body.1.att.transformer_blocks.0.attn2"
        scatter(model, [f"{attention}.to_q.weight", f"{attention}.to_k.weight", "body.1.att.proj_context.weight"], 2)
        scatter(model, ["body.1.att.proj_out.weight"], 20)
        scatter(model, ["conv_last.bias"], 1)

    def upscaled(self, model, pictures, *options, precision="fp32"):
        out = pathlib.Path(tempfile.mkdtemp(dir=self.dir))
        self.succeed("sr-upscale", "-m", model, pictures, "-o", out, "--threads", "1", "--precision", precision, *options)
        return out

    def difference(self, a, b):
        """The largest between the pictures of two folders."""
        return max(abs(x - y) for picture in a.iterdir() for x, y in
                   zip(pixels(picture)[0], pixels(b / picture.name)[0], strict=True))

    def test_samples_can_be_left_out(self):
        self.succeed(*self.short(self.dir / "run", "--validate", self.given / "hr", iterations=1, validation__samples=0))
        self.assertEqual(len(log_of(self.dir / "run", "validation")), 1)
        self.assertFalse((self.dir / "run/samples").exists())

    def test_a_validation_that_was_interrupted_comes_first(self):
        """Also after the last iteration; and none is made twice."""
        out = self.dir / "run"
        command = self.short(out, "--resume", "--validate", self.given / "hr", iterations=4, validation__every=2)
        self.succeed(*command)
        whole, log = digests(out / "samples"), (out / "log.ndjson").read_text()
        self.succeed(*command)
        self.assertEqual((out / "log.ndjson").read_text(), log)
        shutil.rmtree(out / "samples/0000004")
        (out / "samples/0000004.png").unlink()
        (out / "log.ndjson").write_text("".join(log.splitlines(keepends=True)[:-1]))
        self.succeed(*command)
        self.assertEqual(digests(out / "samples"), whole)
        self.assertEqual((out / "log.ndjson").read_text(), log)

    def test_a_loss_that_is_no_number(self):
        out = self.dir / "run"
        result = self.fail_with(1, "the last good checkpoint is", *self.short(
            out, iterations=100, checkpoint_every=1, optimiser__rate=1e30, optimiser__schedule__kind="cosine"))
        good = out / "checkpoints" / self.newest(out)
        self.assertIn(str(good), result.stderr.decode())
        self.assertRegex(result.stderr.decode(), r"iteration \d+: ")

    def test_a_checkpoint_of_another_network(self):
        out = self.dir / "run"
        self.succeed(*self.short(out, iterations=1))
        result = self.fail_with(2, "the generator", *self.short(out, "--resume", iterations=2, generator__features=12))
        self.assertRegex(result.stderr.decode(), r"body\.\d+\.\w+ is [\dx]+, not [\dx]+")
        model = self.dir / "model.safetensors"
        self.succeed("sr-train", "psnr", "-o", out, "--resume", "--export", model, "--threads", "1")
        result = self.fail_with(2, "generator.start: ", *self.short(
            self.dir / "other", "--start", model, iterations=2, generator__features=12, generator__start=model))

    def test_wrong_settings(self):
        cases = {
            "iterations = 0": "not",
            "[loss]\npixel = { kind = \"l3\" }": "'l3' is none of l1, mse, charbonnier, psnr",
            "[generator]\nwidht = 3": "widht",
            "extends = \"nothing\"": "there is no preset 'nothing'",
            "[data]\ncrop = 66": "multiple of the scale",
            "[optimiser]\nbetas = [0.9]": "two numbers",
            "[loss.gan]\nkind = \"vanilla\"": "[discriminator]",
            "[validation]\nhr = \".\"\nmeasures = \"vmaf\"": "'vmaf' is none of lpips, dists",
        }
        for text, message in cases.items():
            with self.subTest(text):
                file = self.dir / "my.toml"
                file.write_text(text if "extends" in text else f"extends = \"srvgg\"\n{text}\n")
                result = self.fail_with(2, message, "sr-train", "psnr", "--config", file, "-o", self.dir / "run",
                                        "--data", self.given / "hr")
                if "[discriminator]" not in message and "vmaf" not in message:
                    self.assertRegex(result.stderr.decode(), r"my\.toml:[123]: ")
        self.fail_with(2, "sr-train gan", "sr-train", "psnr", "--config", "gan-p", "-o", self.dir / "run")
        self.fail_with(2, "sr-train psnr", "sr-train", "gan", "--config", "srvgg", "-o", self.dir / "run")
        self.fail_with(2, "KEY=VALUE", "sr-train", "psnr", "--config", "srvgg", "-o", self.dir / "run", "--set", "x")
        for option, value, message in [("--iterations", 0, ": 0 is not between 1"), ("--crop", 65540, ": 65540 is not"),
                                       ("--seed", -1, ": -1 is not"), ("--set", "data.batch=0", " data.batch: 0 is not"),
                                       ("--precision", "fp16", ": 'fp16' is none of auto|fp32|bf16 ")]:
            self.fail_with(2, f"error: {option}{message}", "sr-train", "psnr", "--config", "srvgg", "-o", self.dir / "run",
                           "--data", self.given / "hr", option, value)


class Dape(Training):
    """DAPE's training: what is its own, and what all runs can."""

    def setUp(self):
        super().setUp()
        if not (self.given / "sharp").exists():
            for name in ["sharp", "soft"]:
                (self.given / name).mkdir()
            vips("copy", self.given / "hr/0.png", self.given / "sharp/0.png")
            vips("thumbnail", self.given / "blurred/0.png", self.given / "soft/0.png", 40)  # of another size

    def test_killed_at_any_moment(self):
        """Dropped paths and values are those of a run that nobody stopped."""
        self.check_killed(self.dape, ["embeddings", "logits"])

    def test_losses_fall(self):
        for precision in ["fp32", "bf16"]:
            with self.subTest(precision):
                out = self.dir / precision
                self.succeed(*self.dape(out, "--lr", self.given / "soft", data="sharp", precision=precision,
                                        iterations=40, data__batch=1, **NOTHING_DROPPED))
                lines = log_of(out)
                self.assertLess(lines[-1]["embeddings"], 0.5 * lines[0]["embeddings"])
                # the teacher's own entropy is most of it: less than bfloat16 resolves is left to learn
                rounding = 1e-4 if precision == "bf16" else 0
                self.assertLess(lines[-1]["logits"], lines[0]["logits"] + rounding)

    def test_the_teacher_sees_what_the_student_sees(self):
        """New LoRA changes nothing: of the same pictures the student says at first what the teacher says."""
        out = self.dir / "run"
        self.succeed(*self.dape(out, "--lr", self.given / "sharp", data="sharp", data__batch=1, iterations=1,
                                **NOTHING_DROPPED))
        self.assertLess(log_of(out)[0]["embeddings"], 1e-12)
        self.succeed(*self.dape(self.dir / "dropping", "--lr", self.given / "sharp", data="sharp", data__batch=1,
                                iterations=1, dape__path_drop=0.5))
        self.assertGreater(log_of(self.dir / "dropping")[0]["embeddings"], 1e-6)

    def test_results_are_taken(self):
        file = self.dir / "dape.safetensors"
        self.succeed(*self.dape(self.dir / "run", "--export", file, iterations=2))
        raw = file.read_bytes()
        header = json.loads(raw[8:8 + int.from_bytes(raw[:8], "little")])
        header.pop("__metadata__", None)
        self.assertTrue(all(name.endswith((".lora_A", ".lora_B")) for name in header))
        self.assertEqual(len(header), 4 * 2 + 2 * 4 + 2 * 12 * 8)
        learnt = header["visual_encoder.layers.0.blocks.0.attn.qkv.lora_B"]
        self.assertEqual((learnt["shape"], learnt["dtype"]), ([32, 8], "F32"))
        self.assertIn("tag_encoder.encoder.layer.11.crossattention.self.key.lora_A", header)
        self.fail_with(2, "export-sfd", *self.dape(self.dir / "no", "--export-sfd", file))

    def test_a_loss_that_is_no_number(self):
        out = self.dir / "run"
        result = self.fail_with(1, "the last good checkpoint is", *self.dape(
            out, iterations=100, checkpoint_every=1, optimiser__rate=1e30))
        self.assertIn(str(out / "checkpoints" / self.newest(out)), result.stderr.decode())

    def test_sigterm_leaves_a_checkpoint(self):
        self.check_terminated(self.dape, "dape")

    def test_wrong_settings(self):
        self.fail_with(2, "sr-train dape", "sr-train", "psnr", "--config", "dape", "-o", self.dir / "run")
        self.fail_with(2, "sr-train psnr", "sr-train", "dape", "--config", "srvgg", "-o", self.dir / "run")
        out = self.dir / "run"
        for changes, message in [({"dape__rank": 0}, "not between 1 and 1024"),
                                 ({"generator__features": 8}, "generator"),
                                 ({"loss__pixel": 1}, "pixel"), ({"data__crop": 66}, "multiple of the scale"),
                                 ({"data__batch": 3, "accumulate": 2}, "accumulate = 2")]:
            with self.subTest(changes):
                self.fail_with(2, message, *self.dape(out, **changes))
        self.fail_with(2, "the weights are not RAM's but", *self.dape(out, "--start", "vgg19"))
        self.assertFalse(out.exists())

    def test_a_checkpoint_of_another_network(self):
        out = self.dir / "run"
        self.succeed(*self.dape(out, iterations=1))
        result = self.fail_with(2, "the student", *self.dape(out, "--resume", iterations=2, dape__rank=4))
        self.assertRegex(result.stderr.decode(), r"lora_[AB] is [\dx]+, not [\dx]+")

    def test_resume_starts_a_run_and_nothing_overwrites_one(self):
        out = self.dir / "run"
        self.succeed(*self.dape(out, "--resume", iterations=2))
        self.fail_with(2, "there is a run already", *self.dape(out, iterations=2))


class Seesr(Training):
    """SeeSR's training: what is its own, and what all runs can."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        write_models(cls.given / "models")
        base = cls.given / "models/stable-diffusion-2-base"
        write_part(base / "unet", BASE_UNET, unet(BASE_UNET), 13000)
        for name in ["gt", "sr_bicubic", "lr", "tag"]:
            (cls.given / "pairs" / name).mkdir(parents=True)
        for i in range(2):
            cut = [cls.given / f"hr/{i}.png", cls.given / f"pairs/gt/{i}.png", 10, 10, 64, 64]
            vips("crop", *cut)
            vips("gaussblur", cls.given / f"pairs/gt/{i}.png", cls.given / f"pairs/sr_bicubic/{i}.png", 3)
            vips("thumbnail", cls.given / f"pairs/gt/{i}.png", cls.given / f"pairs/lr/{i}.png", 16)
            (cls.given / f"pairs/tag/{i}.txt").write_text("bird, tree,\n")

    def seesr(self, out, *more, data="pairs", precision="fp32", **changes):
        changes = {**SEESR, **{k.replace("__", "."): v for k, v in changes.items()}}
        return ["sr-train", "seesr", "--config", "seesr", "-o", out, "--data", self.given / data, "--weights",
                self.given / "models", "--threads", "1", "--precision", precision, *settings(changes), *more]

    def test_killed_at_any_moment(self):
        self.check_killed(self.seesr, ["noise"])

    def test_sigterm_leaves_a_checkpoint(self):
        out = self.dir / "run"
        process = subprocess.Popen([str(BIN / "sr-train"), *map(str, self.seesr(out, iterations=100000)[1:])],
                                   stderr=subprocess.PIPE)
        while not (out / "log.ndjson").exists() or len(log_of(out)) < 3:
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        process.terminate()
        process.communicate(timeout=60)
        self.assertIn(process.returncode, [-signal.SIGTERM, 128 + signal.SIGTERM])
        stopped_at = int(self.newest(out)[:7])
        self.succeed("sr-train", "seesr", "-o", out, "--resume", "--iterations", stopped_at + 1, "--weights",
                     self.given / "models", "--threads", "1")
        self.assertEqual([line["iteration"] for line in log_of(out)], list(range(1, stopped_at + 2)))

    def test_two_train_as_one(self):
        """Noise, timesteps and dropped captions are the samples', whoever takes them."""
        self.succeed(*self.seesr(self.dir / "one", iterations=4))
        status, said = self.finish(self.start(self.seesr(self.dir / "two", iterations=4)))
        self.assertEqual(status, [0, 0], said)
        for a, b in zip(log_of(self.dir / "one"), log_of(self.dir / "two"), strict=True):
            for key in ["noise", "gradient_norm"]:
                self.assertAlmostEqual(a[key], b[key], delta=1e-4 * a[key])

    def toy(self):
        """Eight pairs, and a U-Net wide enough to learn what noise is: in 200 steps to a fifth of the loss."""
        sd, pairs = self.dir / "sd", self.dir / "toy"
        shutil.copytree(self.given / "models/stable-diffusion-2-base", sd)
        wide = {**BASE_UNET, "block_out_channels": [32, 32, 32], "attention_head_dim": [2, 2, 2]}
        write_part(sd / "unet", wide, unet(wide), 13000)
        for name in ["gt", "sr_bicubic", "tag"]:
            (pairs / name).mkdir(parents=True)
        for i in range(8):
            vips("crop", self.given / f"hr/{i % 3}.png", pairs / f"gt/{i}.png", 12 * i, 10 * i, 64, 64)
            vips("gaussblur", pairs / f"gt/{i}.png", pairs / f"sr_bicubic/{i}.png", 3)
            (pairs / f"tag/{i}.txt").write_text("bird, tree,\n")
        return sd, pairs

    def test_losses_fall(self):
        """Held against the same noise of the same timesteps before and after."""
        sd, pairs = self.toy()

        def losses(name, *more, **changes):
            options = {"data__batch": 8, "optimiser__rate": 3e-3, "checkpointing": "false", **changes}
            self.succeed(*self.seesr(self.dir / name, "--sd", sd, *more, data=pairs, **options))
            return [line["noise"] for line in log_of(self.dir / name)]

        before = mean(losses("before", iterations=5, optimiser__rate=0))
        self.assertAlmostEqual(before, 1, delta=0.3)  # that of telling no noise is 1
        for precision in ["fp32", "bf16"]:
            with self.subTest(precision):
                learnt = self.dir / f"learnt-{precision}"
                losses(precision, "--export", learnt, precision=precision, iterations=STEPS)
                after = losses(f"after-{precision}", "--start", learnt, iterations=5, optimiser__rate=0)
                self.assertLess(mean(after), 0.75 * before)

    def test_pictures_are_degraded_and_named_on_the_fly(self):
        self.succeed(*self.seesr(self.dir / "run", data="hr", iterations=2))
        kept = (self.dir / "run/config.toml").read_text()
        self.assertNotIn("tags", kept)

    def test_pair_folders(self):
        """Enlarged LR halves are preferred; LR halves of a quarter's size are enlarged."""
        self.succeed(*self.seesr(self.dir / "a", iterations=1))
        kept = (self.dir / "a/config.toml").read_text()
        for name in ["gt", "sr_bicubic", "tag"]:
            self.assertIn(str(self.given / "pairs" / name), kept)
        self.succeed(*self.seesr(self.dir / "b", "--lr", self.given / "pairs/lr", "--tags", self.given / "pairs/tag",
                                 data="pairs/gt", iterations=1))
        (self.dir / "half/gt").mkdir(parents=True)
        self.fail_with(2, "neither sr_bicubic/ nor lr/", *self.seesr(self.dir / "c", data=self.dir / "half"))
        for name, lacking in [("plain", "gt"), ("untagged", "tag")]:
            other = self.dir / name
            shutil.copytree(self.given / ("hr" if name == "plain" else "pairs"), other)
            shutil.rmtree(other / "tag", ignore_errors=True)
            self.fail_with(2, f"{other} has no {lacking}/", *self.seesr(self.dir / "d", "--data", other))

    def test_results_are_taken(self):
        """Both folders, whose frozen tensors are Stable Diffusion's, and sr-diffuse runs with them."""
        out = self.dir / "seesr"
        self.succeed(*self.seesr(self.dir / "run", "--export", out, iterations=3, ema=0.5))
        trained, _ = tensors_of(out / "unet/diffusion_pytorch_model.safetensors")
        control, _ = tensors_of(out / "controlnet/diffusion_pytorch_model.safetensors")
        checkpoint, _ = tensors_of(self.dir / "run/checkpoints/0000003.safetensors")
        for name, tensor in trained.items():
            if "image_attentions" in name:
                self.assertEqual(tensor, checkpoint[f"ema.unet.{name}"])
        self.assertEqual(set(name for name in checkpoint if name.startswith("trained.")),
                         {f"trained.unet.{name}" for name in trained if "image_attentions" in name} |
                         {f"trained.controlnet.{name}" for name in control})
        self.assertEqual(set(name for name in trained if "image_attentions" not in name), set(unet(BASE_UNET)))
        config = json.loads((out / "controlnet/config.json").read_text())
        self.assertEqual((config["_class_name"], config["use_image_cross_attention"]), ("ControlNetModel", True))
        self.assertEqual(json.loads((out / "unet/config.json").read_text()),
                         {**BASE_UNET, "use_image_cross_attention": True})
        self.succeed("sr-diffuse", "--seesr", out, "--weights", self.given / "models", "--steps", 1, "--process-size", 64,
                     "--tagger", "none", "--no-soft", self.given / "pairs/lr/0.png", "-o", self.dir / "sr.png")
        self.assertEqual(size(self.dir / "sr.png"), (64, 64))
        self.succeed(*self.seesr(self.dir / "more", "--start", out, iterations=1))

    def test_a_start_of_other_widths_is_written_as_it_was_read(self):
        start, out = self.given / "models/seesr", self.dir / "seesr"  # whose ControlNet shows it pictures in few channels
        self.succeed(*self.seesr(self.dir / "run", "--start", start, "--export", out, iterations=1))
        self.assertEqual(json.loads((out / "controlnet/config.json").read_text()), CONTROLNET)
        self.succeed(*self.seesr(self.dir / "more", "--start", out, iterations=1))

    def test_a_cache_changes_nothing(self):
        """New, full, or shared by two ranks; and it is what is read."""
        def trained(name, *more, **changes):
            out = self.dir / name
            self.succeed(*self.seesr(out, *more, iterations=3, **changes))
            return tensor_bytes(out / "checkpoints/0000003.safetensors")

        cache = self.dir / "cache"
        for tags in [{}, {"seesr__null_text_ratio": 0}]:
            plain = trained(f"plain{len(tags)}", **tags)
            self.assertEqual(plain, trained(f"new{len(tags)}", "--cache", cache, **tags))
            kept = digests(cache)
            self.assertEqual(plain, trained(f"full{len(tags)}", "--cache", cache, **tags))
            self.assertEqual(kept, digests(cache))
        self.assertEqual(collections.Counter(name.split("/")[0] for name in kept),
                         {"moments": 2, "image_tokens": 2, "texts": 2})
        status, said = self.finish(self.start(self.seesr(self.dir / "two", "--cache", self.dir / "shared", iterations=3)))
        self.assertEqual(status, [0, 0], said)
        shared = digests(self.dir / "shared")
        self.assertEqual(shared, {name: kept[name] for name in shared})
        for file in (cache / "moments").rglob("*.safetensors"):
            file.write_bytes(file.read_bytes()[:-256] + bytes(256))
        self.assertNotEqual(plain, trained("spoilt", "--cache", cache, seesr__null_text_ratio=0))
        vae = self.dir / "sd/vae/diffusion_pytorch_model.safetensors"
        shutil.copytree(self.given / "models/stable-diffusion-2-base", self.dir / "sd")
        for _ in range(2):  # other files, and one that has changed since
            before = len(list((cache / "moments").rglob("*.safetensors")))
            self.assertEqual(plain, trained(f"other{before}", "--cache", cache, "--sd", self.dir / "sd",
                                            seesr__null_text_ratio=0))
            self.assertEqual(len(list((cache / "moments").rglob("*.safetensors"))), before + 2)
            os.utime(vae, (1, before))

    def test_pictures_are_validated(self):
        """By the same noise each time, as sr-diffuse makes them, and training does not notice."""
        out, seesr = self.dir / "run", self.dir / "seesr"
        look = ["--validate", self.given / "hr", "--set", "validation.every=2", "--set", "validation.steps=2"]
        self.succeed(*self.seesr(out, *look, "--export", seesr, iterations=3, ema=0.5, validation__pictures=2))
        self.succeed(*self.seesr(self.dir / "blind", iterations=3, ema=0.5))
        whole, blind = (tensor_bytes(self.dir / name / "checkpoints/0000003.safetensors") for name in ["run", "blind"])
        self.assertEqual(whole, blind)
        scores = log_of(out, "validation")
        self.assertEqual([(line["iteration"], line["pictures"]) for line in scores], [(2, 2), (3, 2)])
        self.assertTrue(all(0 < line["psnr"] < 60 for line in scores), scores)
        self.assertEqual(sorted(tree(out / "samples")), [f"{i}{name}" for i in ["0000002", "0000003"]
                                                         for name in [".png", "/0.png", "/1.png"]])
        for name in ["0", "1"]:
            self.assertEqual(size(out / f"samples/0000003/{name}.png"), (160, 144))
        self.succeed(*self.seesr(self.dir / "still", *look, iterations=4, optimiser__rate=0, validation__pictures=1))
        first, second = (self.dir / "still/samples" / i / "0.png" for i in ["0000002", "0000004"])
        self.assertEqual(first.read_bytes(), second.read_bytes())

    def test_a_validated_picture_is_what_sr_diffuse_makes(self):
        """But for how LoRA is added to RAM's weights, or to what they give."""
        lr, seesr = self.dir / "lr", self.dir / "seesr"
        self.succeed("sr-degrade", "-m", "bicubic", self.given / "hr", "-o", lr)
        self.succeed(*self.seesr(self.dir / "run", "--export", seesr, "--validate", self.given / "hr", iterations=2,
                                 validation__lr=lr, validation__steps=2, validation__pictures=1))
        self.succeed("sr-diffuse", "--seesr", seesr, "--weights", self.given / "models", "--steps", 2, "--process-size", 64,
                     "--seed", 0, "--threads", 1, "--precision", "fp32", lr / "0.png", "-o", self.dir / "sr.png")
        (found, _), (expected, _) = (pixels(path) for path in [self.dir / "run/samples/0000002/0.png",
                                                               self.dir / "sr.png"])
        self.assertLess(mean([abs(a - b) for a, b in zip(found, expected, strict=True)]), 0.05)
        self.assertGreater(len(set(expected)), 50)

    def test_a_plan_is_printed(self):
        """Its parts come to the sum, and layers that are reckoned again keep less. Only configurations are read."""
        (self.dir / "sd").mkdir()
        for name in ["unet", "vae", "text_encoder"]:
            (self.dir / "sd" / name).mkdir()
            config = (self.given / "models/stable-diffusion-2-base" / name / "config.json").read_text()
            (self.dir / "sd" / name / "config.json").write_text(config)
        told = self.succeed("sr-train", "seesr", "--config", "seesr", "--sd", self.dir / "sd", "--crop", 256, "--print-plan",
                            "--precision", "fp32", "--threads", 1).stdout.decode()
        rows = [line.split("\t") for line in told.splitlines() if not line.startswith("#")]
        self.assertEqual(rows[0], ["part", "parameters", "gb", "gb_checkpointing"])
        parts = {row[0]: (float(row[2]), float(row[3])) for row in rows[1:]}
        for i in range(2):
            self.assertAlmostEqual(sum(part[i] for name, part in parts.items() if name != "all"), parts["all"][i], 6)
            self.assertGreater(parts["vae at work"][i], 0)
        self.assertLess(parts["activations"][1], 0.5 * parts["activations"][0])
        self.assertAlmostEqual(parts["moments"][0], 2 * parts["gradients"][0])
        self.assertIn("# ram: the official one's size", told)
        self.assertGreater(parts["ram"][0], 0.5)
        told = self.succeed(*self.seesr(self.dir / "run", "--print-plan")).stdout.decode()
        self.assertIn("ram_swin_large_14m.safetensors", told)
        self.assertLess(float(next(line for line in told.splitlines() if line.startswith("ram\t")).split("\t")[2]), 0.1)

    def test_wrong_settings(self):
        out = self.dir / "run"
        self.fail_with(2, "sr-train seesr", "sr-train", "psnr", "--config", "seesr", "-o", out)
        self.fail_with(2, "-o must name", "sr-train", "seesr", "--config", "seesr")
        self.fail_with(2, "no table [seesr]", "sr-train", "seesr", "--config", "srvgg", "-o", out)
        for changes, message in [({"seesr__null_text_ratio": 2}, "not between 0 and 1"),
                                 ({"data__crop": 36}, "no multiple of 8"), ({"loss__pixel": 1}, "loss"),
                                 ({"data__batch": 3, "accumulate": 2}, "accumulate = 2")]:
            with self.subTest(changes):
                self.fail_with(2, message, *self.seesr(out, **changes))
        for crop in [4, 36]:
            self.fail_with(2, f"data.crop: {crop} is no multiple of 8", *self.seesr(out, "--print-plan", data__crop=crop))
        self.fail_with(2, "nowhere", *self.seesr(out, "--sd", "nowhere"))
        file = self.dir / "file"
        file.touch()
        self.fail_with(2, "file: Not a folder", *self.seesr(out, "--cache", file))
        self.assertFalse(out.exists())
        self.fail_with(2, "file: Not a folder", *self.seesr(out, "--export", file))
        self.assertFalse((out / "checkpoints").exists())

    def test_a_missing_caption(self):
        """It is told before anything is loaded."""
        pairs = self.dir / "pairs"
        shutil.copytree(self.given / "pairs", pairs)
        (pairs / "tag/1.txt").unlink()
        self.fail_with(2, f"{pairs}/gt/1.png: there is no caption {pairs}/tag/1.txt",
                       *self.seesr(self.dir / "run", data=pairs, seesr__ram="missing"))

    def test_parts_that_do_not_go_together(self):
        start, sd = self.dir / "start", self.dir / "sd"
        write_part(start / "unet", UNET, unet(), 1)
        write_part(start / "controlnet", {**CONTROLNET, "cross_attention_dim": 24}, controlnet(), 2)
        shutil.copytree(self.given / "models/stable-diffusion-2-base", sd)
        write_part(sd / "vae", {**VAE, "latent_channels": 8}, vae({**VAE, "latent_channels": 8}), 3)
        for option, folder, message in [
                ("--start", start, "the ControlNet does not go with the U-Net: its width of texts is 24, not 16"),
                ("--sd", sd, "the autoencoder does not go with the U-Net: its number of latent channels is 8, not 4")]:
            with self.subTest(option):
                self.fail_with(2, message, *self.seesr(self.dir / "run", option, folder, iterations=1))
                self.fail_with(2, message, *self.seesr(self.dir / "run", option, folder, "--print-plan"))


class Ranks(Training):
    """Two processes on this machine, told as torchrun tells them."""

    def test_two_train_as_one(self):
        self.succeed(*self.short(self.dir / "one", iterations=10))
        status, said = self.finish(self.start(self.short(self.dir / "two", "--validate", self.given / "hr", iterations=10)))
        self.assertEqual(status, [0, 0], said)
        self.assertEqual(len(log_of(self.dir / "two", "validation")), 1)
        one, two = log_of(self.dir / "one"), log_of(self.dir / "two")
        self.assertEqual([line["iteration"] for line in two], list(range(1, 11)))
        for a, b in zip(one, two):
            for key in ["pixel", "gradient_norm"]:
                self.assertAlmostEqual(a[key], b[key], delta=1e-5 * a[key])

    def test_two_train_dape_as_one(self):
        self.succeed(*self.dape(self.dir / "one", iterations=5, **NOTHING_DROPPED))
        status, said = self.finish(self.start(self.dape(self.dir / "two", iterations=5, **NOTHING_DROPPED)))
        self.assertEqual(status, [0, 0], said)
        for a, b in zip(log_of(self.dir / "one"), log_of(self.dir / "two"), strict=True):
            for key in ["embeddings", "logits", "gradient_norm"]:
                self.assertAlmostEqual(a[key], b[key], delta=1e-4 * a[key])

    def test_a_killed_rank_stops_the_other(self):
        out = self.dir / "run"
        command = self.short(out, "--resume", iterations=100000, checkpoint_every=5)
        processes = self.start(command)
        while not (out / "log.ndjson").exists() or len(log_of(out)) < 12:
            self.assertIsNone(processes[0].poll())
            time.sleep(0.01)
        processes[1].kill()
        (first, second), said = self.finish(processes)
        self.assertEqual((first, second), (1, -signal.SIGKILL))
        self.assertIn("another rank stopped", said[0])
        self.assertIn("can be resumed from its last checkpoint", said[0])
        reached = int(self.newest(out)[:7])
        self.assertGreaterEqual(reached, 5)
        command[command.index("iterations=100000")] = f"iterations={reached + 3}"
        status, said = self.finish(self.start(command))
        self.assertEqual(status, [0, 0], said)
        self.assertEqual([line["iteration"] for line in log_of(out)], list(range(1, reached + 4)))


if __name__ == "__main__":
    unittest.main()
