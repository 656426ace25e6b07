"""sr-diffuse: models and pictures that are missing, broken or don't go together, and interrupts."""

import json
import os
import shutil
import signal
import subprocess
import time
import unittest

import seesr_models as models
from diffuse_case import BASE, SMALL, DiffuseCase, command, digest, digests, plain
from harness import BIN, pixels, size, tree, vips
from weights import NAN, dape, fill, ram, write_toy


class Failures(DiffuseCase):
    def test_missing_files_are_named(self):
        cases = {}

        def without(name, text):
            folder = self.copied_models()
            (folder / name).unlink()
            cases[text] = ["--weights", folder, self.picture]

        for name in ["tokenizer/vocab.json", "tokenizer/merges.txt", "text_encoder/config.json", "vae/config.json",
                     "scheduler/scheduler_config.json"]:
            without(f"{BASE}/{name}", f"{BASE}/{name}: No such file")
        for part in ["unet", "controlnet"]:
            without(f"seesr/{part}/config.json", f"seesr/{part}/config.json: No such file")
            without(f"seesr/{part}/{models.DIFFUSION}", f"seesr/{part}: there are no weights")
        without(f"{BASE}/text_encoder/model.safetensors", f"{BASE}/text_encoder: there are no weights")
        without(f"{BASE}/vae/{models.DIFFUSION}", f"{BASE}/vae: there are no weights")
        for name, told in [("ram_swin_large_14m.safetensors", "model ram: "), ("DAPE.safetensors", "model dape: "),
                           ("ram_tag_list.txt", "model ram-tags: "),
                           ("ram_tag_list_threshold.txt", "model ram-thresholds: ")]:
            without(name, told)
        cases["model here: "] = ["--sd", "here", self.picture]
        cases["model there: "] = ["--seesr", "there", self.picture]
        self.refuse(2, cases)

    def test_weights_are_found_as_everywhere(self):
        arguments = ["sr-diffuse", *(part for pair in SMALL.items() for part in pair), self.picture, "-o"]
        out = self.dir / "x.png"
        self.succeed(*arguments, out, env={**os.environ, "SR_WEIGHTS": str(self.weights)})
        self.assertEqual(digest(out), plain()["a.png"])
        folders = ["--sd", self.weights / BASE, "--seesr", self.weights / "seesr", "--tagger", "none"]
        self.succeed(*arguments, out, *folders, env={**os.environ, "SR_WEIGHTS": "", "XDG_DATA_HOME": str(self.dir)})
        self.assertNotEqual(digest(out), plain()["a.png"])

    def test_wrong_configurations(self):
        cases = {}
        for path, changes, text in [
                ("seesr/unet/config.json", {"act_fn": "gelu"}, 'act_fn = "gelu"'),
                ("seesr/controlnet/config.json", {"_class_name": "UNet2DConditionModel"},
                 '_class_name = "UNet2DConditionModel"'),
                (f"{BASE}/vae/config.json", {"norm_num_groups": 3}, "block_out_channels"),
                (f"{BASE}/text_encoder/config.json", {"hidden_act": "relu"}, "hidden_act"),
                (f"{BASE}/scheduler/scheduler_config.json", {"beta_schedule": "linear"}, "beta_schedule"),
                (f"{BASE}/vae/config.json", None, "is no JSON object"), ("seesr/unet/config.json", None, "is no JSON")]:
            folder = self.copied_models()
            content = json.loads((folder / path).read_text())
            (folder / path).write_text(json.dumps({**content, **changes} if changes else [content]))
            cases[f"{path}: {text}"] = ["--weights", folder, self.picture]
        self.refuse(2, cases)

    def test_wrong_weights(self):
        cases = {}
        attention = "mid_block.attentions.0"
        for file, shapes, change, text, name in [
                (f"seesr/unet/{models.DIFFUSION}", models.unet(), {"conv_in.weight": [8, 5, 3, 3]}, "U-Net",
                 "conv_in.weight is 8x5x3x3, not 8x4x3x3"),
                (f"seesr/controlnet/{models.DIFFUSION}", models.controlnet(), {"something.else": [2]}, "ControlNet",
                 "something.else is unexpected"),
                (f"{BASE}/vae/{models.DIFFUSION}", models.vae(), {f"decoder.{attention}.query.weight": [5, 3]},
                 "AutoencoderKL", f"decoder.{attention}.to_q.weight is 5x3"),
                (f"{BASE}/text_encoder/model.safetensors", models.text_encoder(),
                 {"text_model.final_layer_norm.bias": None}, "the text encoder",
                 "text_model.final_layer_norm.bias is missing")]:
            folder = self.copied_models()
            write_toy(folder / file, {key: shape for key, shape in {**shapes, **change}.items() if shape})
            cases[f"{file}: the weights do not fit {text}: {name}"] = ["--weights", folder, self.picture]
        folder, file = self.copied_models(), f"seesr/unet/{models.DIFFUSION}"
        (folder / file).write_bytes((folder / file).read_bytes()[:-100])
        cases[f"{file}: tensor"] = ["--weights", folder, self.picture]
        self.refuse(2, cases)

    def test_parts_that_do_not_go_together(self):
        """Each is well by itself."""
        halves = {"block_out_channels": [8, 16], "down_block_types": ["DownEncoderBlock2D"] * 2,
                  "up_block_types": ["UpDecoderBlock2D"] * 2}
        vae, control, cases, patterns = f"{BASE}/vae", "seesr/controlnet", {}, {}
        for folder, told, base, changes, make in [
                (f"{BASE}/text_encoder", "text.encoder", models.TEXT_ENCODER, {"hidden_size": 32}, models.text_encoder),
                (vae, "autoencoder|vae", models.VAE, {"latent_channels": 8}, models.vae),
                (vae, "autoencoder|vae", models.VAE, halves, models.vae),
                (control, "controlnet", models.CONTROLNET, {"block_out_channels": [8, 16, 16]}, models.controlnet),
                (control, "controlnet", models.CONTROLNET, {"layers_per_block": 2}, models.controlnet),
                (control, "controlnet", models.CONTROLNET, {"conditioning_embedding_out_channels": [4, 8]},
                 models.controlnet),
                ("seesr/unet", "u-net|unet", models.UNET, {"in_channels": 9}, models.unet)]:
            weights, config = self.copied_models(), {**base, **changes}
            name = "model.safetensors" if base is models.TEXT_ENCODER else models.DIFFUSION
            models.write_part(weights / folder, config, make(config), name=name)
            cases[f"{folder} with {changes}"] = ["--weights", weights, self.picture]
            patterns[f"{folder} with {changes}"] = f"(?i){told}"
        self.refuse(2, cases, patterns)
        narrow = self.copied_models()
        write_toy(narrow / "ram_swin_large_14m.safetensors", ram())
        write_toy(narrow / "DAPE.safetensors", dape())
        self.refuse(1, {"512": ["--weights", narrow, self.picture]})

    def test_values_that_are_not_finite(self):
        cases = {}
        for file, name, text, options in [
                (f"seesr/unet/{models.DIFFUSION}", "conv_out.bias", "in/a.png: step 1 of 2 (timestep 501)", []),
                (f"{BASE}/vae/{models.DIFFUSION}", "encoder.conv_out.bias", "in/a.png: the encoded picture", []),
                (f"{BASE}/vae/{models.DIFFUSION}", "decoder.conv_out.bias", "in/a.png: the decoded picture", []),
                ("ram_swin_large_14m.safetensors", "fc.bias", "finite", ["--no-soft"])]:
            folder = self.copied_models()
            fill(folder / file, name, NAN)
            cases[text] = [*options, "--weights", folder, self.picture]
        self.refuse(1, cases)

    def test_bad_pictures_among_good_ones(self):
        (self.dir / "in/0.png").write_text("no picture")
        (self.dir / "in/bad.png").write_bytes(self.picture.read_bytes()[:700])
        out = self.dir / "out"
        result = self.fail_with(1, "in/0.png: ", *command(self.dir / "in", self.dir / "none.png", "-o", out), lines=3)
        for name in ["in/bad.png: ", "none.png: No such file"]:
            self.assertIn(name, result.stderr.decode())
        self.assertEqual(digests(out), plain())

    def test_pictures_of_wrong_sizes(self):
        tiny = self.dir / "tiny.png"
        vips("black", tiny, 1, 1, "--bands", 3)
        self.refuse(1, {"6x6 pixels are too few to work at": ["--process-size", "8", "--scale", "3", tiny],
                        "24x20 is more than --max-pixels 100": ["--max-pixels", "100", self.picture]})
        self.assertEqual(size(self.result_of(tiny)), (4, 4))

    def test_plans_that_lose_something_are_refused(self):
        self.fail_with(2, "would be overwritten by a result", *command(self.picture, "-o", self.picture))
        self.fail_with(2, "standard output takes one", *command(self.dir / "in", "-o", "-"))
        self.fail_with(2, "no output", *command(self.picture))
        self.fail_with(2, "no input", *command("-o", self.dir / "x.png"))

    def test_an_interrupt_leaves_whole_files(self):
        names = [shutil.copy(self.picture, self.dir / f"in/{i:02}.png") for i in range(40)]
        out = self.dir / "out"
        program, *arguments = command("--tagger", "none", "--samples", "3", "--skip-existing", "--save-latents",
                                      self.dir / "latents", *names, "-o", f"{out}/")
        for stop in [signal.SIGINT, signal.SIGTERM]:
            before = len(tree(out))
            process = subprocess.Popen([str(BIN / program), *map(str, arguments)], stderr=subprocess.DEVNULL)
            while process.poll() is None and len(tree(out)) < before + 3:
                time.sleep(0.01)
            process.send_signal(stop)
            self.assertEqual(process.wait(timeout=30), -stop)
            self.assertTrue(before < len(tree(out)) < 120)
        for name in tree(out):
            self.assertRegex(name, r"^\d\d-[123]\.png$")
            self.assertEqual(len(pixels(out / name)[0]), 96 * 80 * 3)
        for name in tree(self.dir / "latents"):
            self.assertRegex(name, r"^\d\d-[123]\.safetensors$")

    def test_an_interrupt_ends_a_picture(self):
        out, latents = self.dir / "out", self.dir / "latents"
        program, *arguments = command("--tagger", "none", "--steps", "1000", "--scale", "16", "--progress", "always",
                                      "--save-latents", latents, self.picture, "-o", f"{out}/")
        with subprocess.Popen([str(BIN / program), *map(str, arguments)], stderr=subprocess.PIPE) as process:
            self.assertIn(b"0/1", process.stderr.read(40))
            process.send_signal(signal.SIGTERM)
            process.stderr.read()
            self.assertEqual(process.wait(timeout=30), -signal.SIGTERM)
        self.assertEqual({**tree(out), **tree(latents)}, {})


if __name__ == "__main__":
    unittest.main()
