"""sr-diffuse: results, pictures, sampling, plans. The networks are toys."""

import json
import math
import os
import pathlib
import re
import shutil
import unittest

import seesr_models as models
from diffuse_case import (BASE, DiffuseCase, at_once, command, digest, digests, mean_difference, plain,
                          plain_folder)
from harness import ROOT, header, pixels, rows_of, size, tree, vips, with_exif
from weights import fill, tensors_of


class Models(unittest.TestCase):
    def test_shapes_are_those_of_the_official_networks(self):
        data = ROOT / "tests/data"
        vae = {**models.VAE, "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2}
        for name, shapes in [(name, make(json.loads((data / f"configs/{name}.json").read_text())))
                             for name, make in [("seesr_unet", models.unet), ("sd2-base_unet", models.unet),
                                                ("seesr_controlnet", models.controlnet)]] + [
                                                    ("sd2-base_vae_published_names", models.vae(vae))]:
            with self.subTest(name):
                lines = [line.split("\t") for line in (data / f"keys/{name}.tsv").read_text().splitlines()]
                self.assertEqual(shapes, {key: [int(side) for side in sides.split("x")] for key, _, sides in lines})


class Results(DiffuseCase):
    def test_sizes(self):
        for options, expected in [([], (96, 80)), (["--scale", "3"], (72, 60)), (["--scale", "1"], (24, 20)),
                                  (["--process-size", "8", "--scale", "2"], (48, 40))]:
            out = self.result_of(*options, self.picture)
            self.assertEqual((size(out), header(out, "bands")), (expected, "3"))

    def test_a_result_is_a_picture(self):
        values = pixels(self.result_of("--colour-fix", "none", self.picture))[0]
        mean = sum(values) / len(values)
        self.assertTrue(60 < mean < 195, mean)
        self.assertGreater(math.sqrt(sum((value - mean) ** 2 for value in values) / len(values)), 15)
        self.assertLess(sum(value in (0, 255) for value in values), len(values) / 10)

    def test_company_order_shards_and_batches_change_nothing(self):
        names = [self.dir / "in" / name for name in ["c.png", "a.png", "b.png"]]
        out = self.dir / "out"
        at_once({0: lambda: self.diffuse(*names, "-o", out / "turned"),
                 1: lambda: self.diffuse(self.dir / "in", "--shard", "1/2", "-o", out / "shards/"),
                 2: lambda: self.diffuse(self.dir / "in", "--shard", "2/2", "-o", out / "shards/"),
                 3: lambda: self.diffuse(self.picture, "-o", out / "alone.png")})
        self.assertEqual(digests(out / "turned"), plain())
        self.assertEqual(digests(out / "shards"), plain())
        self.assertEqual(digest(out / "alone.png"), plain()["a.png"])

    def test_seed_and_name_make_the_result(self):
        (self.dir / "other").mkdir()
        (self.dir / "in/sub").mkdir()
        shutil.copy(self.picture, self.dir / "other/a.png")
        shutil.copy(self.picture, self.dir / "in/z.png")
        shutil.copy(self.picture, self.dir / "in/sub/a.png")
        self.assertEqual(digest(self.result_of(self.dir / "other/a.png")), plain()["a.png"])
        out = self.dir / "out"
        self.diffuse("-r", self.dir / "in", "-o", out)
        self.assertEqual(list(tree(out)), ["a.png", "b.png", "c.png", "sub/a.png", "z.png"])
        results = {name: digest(out / name) for name in ["a.png", "z.png", "sub/a.png"]}
        self.assertEqual(results["a.png"], plain()["a.png"])
        self.assert_all_differ({**results, **self.each({seed: ["--seed", seed] for seed in ["1", "-1"]})})

    def test_more_pictures_than_go_into_memory_together(self):
        quick = ["--steps", "1", "--process-size", "8", "--scale", "2"]
        (self.dir / "many").mkdir()
        for i in range(1, 70):
            shutil.copy(self.picture, self.dir / f"many/{i:02}.png")
        (self.dir / "many/02.png").write_text("no picture")
        (self.dir / "many/68.png").write_text("no picture")
        out = self.dir / "out"
        result = self.fail_with(1, "many/02.png: ", *command(*quick, self.dir / "many", "-o", out), lines=2)
        self.assertIn(b"many/68.png: ", result.stderr)
        found = digests(out)
        self.assertEqual(list(found), [f"{i:02}.png" for i in range(1, 70) if i not in [2, 68]])
        self.assert_all_differ(found)
        self.assertEqual(digest(self.result_of(*quick, self.dir / "many/69.png")), found["69.png"])

    def test_threads_change_next_to_nothing(self):
        exact = ["--precision", "fp32", "--colour-fix", "none", self.picture]
        one, two = (pixels(self.result_of("--threads", threads, *exact))[0] for threads in ["1", "2"])
        self.assertLessEqual(max(abs(a - b) for a, b in zip(one, two)), 1)

    def test_precisions_agree_about(self):
        found = self.each_file({"fp32": ["--precision", "fp32"], "bf16": ["--precision", "bf16"],
                                "other": ["--precision", "fp32", "--seed", "1"]})
        near, far = (mean_difference(found["fp32"], found[name]) for name in ["bf16", "other"])
        self.assertLess(10 * near, far)

    def test_samples(self):
        results = digests(self.result_of("--samples", "2", self.picture).parent)
        self.assertEqual(list(results), ["x-1.png", "x-2.png"])
        self.assertEqual(results["x-1.png"], plain()["a.png"])
        self.assertNotEqual(results["x-2.png"], plain()["a.png"])
        out = self.dir / "out"
        out.mkdir()
        (out / "a-1.png").write_text("kept")
        self.diffuse("--samples", "2", "--skip-existing", self.picture, self.dir / "in/b.png", "-o", out)
        self.assertEqual(list(tree(out)), ["a-1.png", "a-2.png", "b-1.png", "b-2.png"])
        self.assertEqual((out / "a-1.png").read_text(), "kept")
        self.assertEqual(digest(out / "a-2.png"), results["x-2.png"])
        self.assertEqual(digest(out / "b-1.png"), plain()["b.png"])
        self.fail_with(2, "--samples", *command("--samples", "2", self.picture, "-o", "-"))

    def test_samples_do_not_overwrite_their_input(self):
        picture = shutil.copy(self.picture, self.dir / "a-1.png")
        self.fail_with(2, "would be overwritten", *command("--samples", "2", picture, "-o", self.dir / "a.png"))
        self.assertEqual(digest(picture), digest(self.picture))

    def test_skip_existing(self):
        out = self.dir / "out"
        out.mkdir()
        (out / "b.png").write_text("kept")
        self.diffuse("--skip-existing", self.dir / "in", "-o", out)
        self.assertEqual(digests(out), {**plain(), "b.png": digest(out / "b.png")})
        self.assertEqual((out / "b.png").read_text(), "kept")
        before = {name: os.stat(out / name).st_mtime_ns for name in plain()}
        # nothing is left to do, so nothing is needed
        self.diffuse("--weights", self.dir, "--skip-existing", self.dir / "in", "-o", out)
        self.assertEqual({name: os.stat(out / name).st_mtime_ns for name in plain()}, before)

    def latents(self, path):
        tensors, _ = tensors_of(path)
        self.assertEqual(list(tensors), ["latents"])
        shape, values = tensors["latents"]
        self.assertEqual(shape, [1, 4, 10, 12])
        return values

    def test_save_latents(self):
        (self.dir / "in/sub").mkdir()
        shutil.move(self.dir / "in/c.png", self.dir / "in/sub/a.png")
        found = self.dir / "latents"
        self.diffuse("-r", "--save-latents", found, self.dir / "in", "-o", self.dir / "out")
        self.assertEqual(list(tree(found)), ["a.safetensors", "b.safetensors", "sub/a.safetensors"])
        values = {name: self.latents(found / name) for name in tree(found)}
        self.assert_all_differ(values)
        for numbers in values.values():
            self.assertTrue(0.2 < math.sqrt(sum(value ** 2 for value in numbers) / len(numbers)) < 20)
        self.assertEqual(digest(self.dir / "out/a.png"), plain()["a.png"])
        self.result_of("--samples", "2", "--save-latents", self.dir / "two", self.picture)
        self.assertEqual(list(tree(self.dir / "two")), ["x-1.safetensors", "x-2.safetensors"])
        self.assertEqual(self.latents(self.dir / "two/x-1.safetensors"), values["a.safetensors"])
        self.assertNotEqual(self.latents(self.dir / "two/x-2.safetensors"), values["a.safetensors"])

    def test_latents_have_a_place_each(self):
        vips("copy", self.picture, self.dir / "in/a.jpg")
        arguments = command("--save-latents", self.dir / "latents", self.dir / "in", "-o", f"{self.dir}/out/")
        self.fail_with(2, "would both be written to", *arguments)
        (self.dir / "in/a.jpg").unlink()
        (self.dir / "latents").write_text("no folder")
        self.fail_with(2, "latents: Not a folder", *arguments)

    def test_standard_input_and_output(self):
        data = self.picture.read_bytes()
        piped = self.dir / "piped.png"
        piped.write_bytes(self.diffuse("-", "-o", "-", input=data).stdout)
        self.assertEqual((header(piped, "vips-loader"), size(piped)), ("pngload", (96, 80)))
        self.diffuse("-", "-o", self.dir / "again.png", input=data)
        self.assertEqual(digest(self.dir / "again.png"), digest(piped))
        self.diffuse("--format", "jpg", "-", "-o", self.dir / "piped", input=data)
        self.assertEqual(header(self.dir / "piped", "vips-loader"), "jpegload")

    def test_progress_goes_by_steps(self):
        result = self.diffuse("--progress", "always", "--steps", "60", self.picture, "-o", self.dir / "x.png")
        self.assertGreaterEqual(len(set(re.findall(rb"0/1 +(\d+)%.*?ETA", result.stderr))), 2, result.stderr)
        self.assertNotIn(b"ETA", self.diffuse(self.picture, "-o", self.dir / "x.png").stderr)


class Pictures(DiffuseCase):
    def test_transparency_is_kept(self):
        out = self.dir / "out"
        vips("bandjoin_const", self.picture, self.dir / "a.v", 255)
        vips("copy", self.dir / "a.v", self.dir / "a.png")
        self.diffuse(self.dir / "a.png", "-o", out / "a.png")
        expected, _ = pixels(plain_folder() / "a.png")
        values, bands = pixels(out / "a.png")
        self.assertEqual(bands, 4)
        self.assertEqual(set(values[3::4]), {255})
        self.assertTrue(tuple(value for i, value in enumerate(values) if i % 4 != 3) == expected)
        self.diffuse("--alpha", "drop", self.dir / "a.png", "-o", out / "dropped.png")
        self.assertTrue(pixels(out / "dropped.png") == (expected, 3))

    def test_edges_of_transparency_stay_in_place(self):
        vips("black", self.dir / "left.v", 12, 20)
        vips("linear", self.dir / "left.v", self.dir / "right.v", 0, 255, "--uchar")
        vips("join", self.dir / "left.v", self.dir / "right.v", self.dir / "alpha.v", "horizontal")
        vips("bandjoin", f"{self.picture} {self.dir / 'alpha.v'}", self.dir / "a.png")
        values, bands = pixels(self.result_of(self.dir / "a.png"))
        self.assertEqual(bands, 4)
        for row in range(80):
            alphas = values[3::4][96 * row:96 * (row + 1)]
            self.assertEqual((set(alphas[:40]), set(alphas[56:])), ({0}, {255}))
        result = self.diffuse(self.dir / "a.png", "-o", self.dir / "x.jpg")
        self.assertIn(b"holds no transparency; laid over white", result.stderr)

    def test_orientation_and_metadata(self):
        vips("copy", self.picture, self.dir / "a.jpg")
        (self.dir / "a.jpg").write_bytes(with_exif((self.dir / "a.jpg").read_bytes(), 6))
        out = self.result_of(self.dir / "a.jpg", name="x.jpg")
        self.assertEqual((size(out), header(out, "orientation")), ((80, 96), "1"))
        self.assertIn("a description", header(out, "exif-ifd0-ImageDescription"))
        (row,), _ = self.plan(self.dir / "a.jpg")
        self.assertEqual((row["size"], row["result"]), ("20x24", "80x96"))

    def test_grey_stays_grey(self):
        vips("extract_band", self.picture, self.dir / "a.png", 1)
        out = self.result_of(self.dir / "a.png")
        self.assertEqual((header(out, "bands"), size(out)), ("1", (96, 80)))
        self.assertGreater(len(set(pixels(out)[0])), 20)

    def test_sixteen_bits_and_floats(self):
        vips("linear", self.picture, self.dir / "a.png[bitdepth=16]", 257, 0)
        vips("colourspace", self.picture, self.dir / "a.tif", "scrgb")
        deep = self.result_of(self.dir / "a.png")
        self.assertEqual(header(deep, "format"), "ushort")
        expected, _ = pixels(plain_folder() / "a.png")
        self.assertTrue(pixels(deep)[0] == tuple(257 * value for value in expected))
        self.diffuse("--depth", "8", self.dir / "a.png", "-o", self.dir / "eight.png")
        self.assertTrue(pixels(self.dir / "eight.png")[0] == expected)
        self.diffuse(self.dir / "a.tif", "-o", self.dir / "float.tif")
        self.assertEqual((header(self.dir / "float.tif", "format"), size(self.dir / "float.tif")), ("float", (96, 80)))

    def test_colours_are_brought_back(self):
        vips("resize", self.picture, self.dir / "large.png", 4)
        found = {}
        for fix in ["adain", "wavelet", "none"]:
            out = self.result_of("--colour-fix", fix, self.picture)
            vips("shrink", out, self.dir / "blurred.png", 16, 16)
            vips("shrink", self.dir / "large.png", self.dir / "expected.png", 16, 16)
            means = [abs(sum(a[band::3]) - sum(b[band::3])) / (96 * 80)
                     for a, b in [(pixels(out)[0], pixels(self.dir / "large.png")[0])] for band in range(3)]
            found[fix] = max(means), mean_difference(self.dir / "blurred.png", self.dir / "expected.png")
        self.assertLess(found["adain"][0], 6)
        self.assertLess(found["wavelet"][0], 8)
        self.assertGreater(found["none"][0], 30, "else this tests nothing")
        self.assertLess(2 * found["wavelet"][1], found["adain"][1])


class Sampling(DiffuseCase):
    def test_options_that_change_the_result(self):
        results = self.each({"plain": [], "steps": ["--latent-tile", "0", "--start-steps", "400"],
                             "strength": ["--conditioning-scale", "0.5"], "guidance": ["--guidance", "2"],
                             "noise": ["--start", "noise"]})
        self.assertEqual(results["plain"], plain()["a.png"])
        self.assert_all_differ(results)

    def test_noise_knows_nothing_of_the_picture(self):
        """But by tags, embeddings, the ControlNet and the colours, which are off here."""
        blind = ["--tagger", "none", "--conditioning-scale", "0", "--colour-fix", "none"]
        (self.dir / "other").mkdir()
        shutil.copy(self.dir / "in/b.png", self.dir / "other/a.png")
        for start, same in [("noise", True), ("lr", False)]:
            one, other = (digest(self.result_of(*blind, "--start", start, self.dir / folder / "a.png"))
                          for folder in ["in", "other"])
            self.assertEqual(one == other, same)

    def test_turbo(self):
        other, unet, folder = self.copied_models(), f"seesr/unet/{models.DIFFUSION}", self.weights / "sd-turbo"
        shutil.rmtree(other / BASE)
        fill(other / unet, "conv_in.weight", b"\0\0")
        image = self.copied_models()
        fill(image / unet, "mid_block.image_attentions.0.proj_out.weight", b"\0\0")
        results = self.each({"turbo": ["--turbo", "--steps", "2", "--guidance", "1", "--latent-overlap", "32"],
                             "by folder": ["--turbo", "--sd", folder], "guided": ["--turbo", "--guidance", "2"],
                             "SeeSR's U-Net": ["--sd", folder], "its image attentions": ["--turbo", "--weights", image],
                             "the rest of it": ["--turbo", "--weights", other],
                             "and without turbo": ["--sd", folder, "--weights", other]})
        for name in ["by folder", "the rest of it"]:
            self.assertEqual(results.pop(name), results["turbo"], name)
        self.assert_all_differ({**results, "plain": plain()["a.png"]})
        (other / "sd-turbo/unet" / models.DIFFUSION).unlink()
        self.refuse(2, {"sd-turbo/unet: there are no weights": ["--turbo", "--weights", other, self.picture]})

    def test_latent_tiles(self):
        """The picture has 12 x 10 latents."""
        results = self.each({"none": ["--latent-tile", "0"], "area": ["--latent-tile", "11"],
                             "cut": ["--latent-tile", "6"], "overlap": ["--latent-tile", "6", "--latent-overlap", "1"],
                             "two": ["--latent-tile", "10"]})
        for name in ["none", "area"]:
            self.assertEqual(results.pop(name), plain()["a.png"])
        self.assert_all_differ({**results, "whole": plain()["a.png"]})
        self.refuse(2, {"latent tiles of 4 can't overlap by 4": ["--latent-tile", "4", self.picture]})

    def test_vae_tiles(self):
        """Near the whole; the encoder's need more than 64 pixels, the decoder's more than 22 latents."""
        large = ["--scale", "8"]  # 192 x 160 pixels
        tiles = {"whole": [], "encoder": ["--vae-encoder-tile", "32"], "decoder": ["--vae-decoder-tile", "1"],
                 "other": ["--seed", "1"], "none": ["--vae-encoder-tile", "0", "--vae-decoder-tile", "0"]}
        found = self.each_file({name: [*large, *options] for name, options in tiles.items()})
        results = {name: digest(path) for name, path in found.items()}
        self.assertEqual(results.pop("none"), results["whole"])
        self.assert_all_differ(results)
        differences = {name: mean_difference(found["whole"], found[name]) for name in results}
        self.assertLess(5 * differences["encoder"], differences["other"])
        self.assertLess(5 * differences["decoder"], differences["other"])
        self.refuse(2, {"tiles of 4 pixels are no multiple of 8": ["--vae-encoder-tile", "4", self.picture]})

    def test_wrong_usage(self):
        self.refuse(2, {"guidance": ["--guidance", "nan", self.picture], "--scale": ["--scale", "0", self.picture],
                        "none of lr|noise": ["--start", "middle", self.picture],
                        "--start-steps": ["--start-steps", "1000", self.picture],
                        "none of adain|wavelet|none": ["--colour-fix", "lab", self.picture]})

    def test_some_step_is_left(self):
        self.refuse(2, {"--start-steps": ["--turbo", "--start-steps", "400", self.picture]})


class Plan(DiffuseCase):
    def test_sizes_tiles_and_steps(self):
        vips("black", self.dir / "long.png", 200, 8)
        tiles = ["--latent-tile", "8", "--vae-encoder-tile", "32", "--vae-decoder-tile", "1"]
        (row, long), facts = self.plan(*tiles, self.picture, self.dir / "long.png")
        expected = {"file": str(self.picture), "size": "24x20", "process": "96x80", "result": "96x80",
                    "latent_tiles": "4", "latent_tile": "8x8", "encoder_tiles": "1", "decoder_tiles": "1", "steps": "2"}
        self.assertEqual({key: row[key] for key in expected}, expected)
        # (200, 8) * 2 * 4 pixels; 200 x 8 latents every 4; (1600 - 64) / 32 and one tile high; (200 - 22) / 1
        expected = {"size": "200x8", "process": "1600x64", "result": "800x32", "latent_tiles": "49",
                    "latent_tile": "8x8", "encoder_tiles": "48", "decoder_tiles": "178"}
        self.assertEqual({key: long[key] for key in expected}, expected)
        parameters = [f"{name} {sum(map(math.prod, shapes.values()))}"
                      for name, shapes in [("unet", models.unet()), ("controlnet", models.controlnet()),
                                           ("vae", models.vae()), ("text_encoder", models.text_encoder())]]
        self.assertEqual(facts["parameters"], ", ".join(parameters))

    def cost(self, *arguments):
        (row,), _ = self.plan(*arguments, self.picture)
        return {key: int(row[key]) for key in ["steps", "multiply_adds_a_step", "multiply_adds", "memory"]}

    def test_costs(self):
        guided, alone = self.cost(), self.cost("--guidance", "1")
        self.assertGreater(alone["multiply_adds_a_step"], 0)
        self.assertAlmostEqual(guided["multiply_adds_a_step"], 2 * alone["multiply_adds_a_step"], delta=2)
        fixed = guided["multiply_adds"] - 2 * guided["multiply_adds_a_step"]
        self.assertAlmostEqual(alone["multiply_adds"] - 2 * alone["multiply_adds_a_step"], fixed, delta=8)
        self.assertGreater(fixed, 0, "the autoencoder's")
        started = self.cost("--start-steps", "400")
        self.assertEqual(started["steps"], 1)
        self.assertAlmostEqual(started["multiply_adds"], fixed + guided["multiply_adds_a_step"], delta=8)
        large = self.cost("--scale", "16")
        for key in ["multiply_adds_a_step", "multiply_adds", "memory"]:
            self.assertGreater(large[key], guided[key])
        self.assertEqual(self.cost("--turbo")["steps"], 2)

    def test_plans_need_no_weights_and_no_output(self):
        bare = self.copied_models()
        for path in bare.rglob("*.safetensors"):
            path.unlink()
        (self.dir / "in/bad.png").write_text("no picture")
        plan = command("--print-plan", "--weights", bare)
        result = self.fail_with(1, "in/bad.png: ", *plan, self.dir / "in", self.dir / "none.png", lines=2)
        self.assertIn(b"none.png: No such file", result.stderr)
        self.assertEqual([pathlib.Path(row[0]).name for row in rows_of(result)[1:]], ["a.png", "b.png", "c.png"])
        result = self.succeed(*plan, "--shard", "2/3", *(self.dir / f"in/{name}.png" for name in "abc"))
        self.assertEqual([pathlib.Path(row[0]).name for row in rows_of(result)[1:]], ["b.png"])
        (bare / "seesr/unet/config.json").unlink()
        self.fail_with(2, "seesr/unet/config.json: No such file", *plan, self.picture)


if __name__ == "__main__":
    unittest.main()
