"""sr-iqa features and sr-iqa tsne, from toy networks to a drawn map."""

import json
import math
import pathlib
import random
import shlex
import shutil
import tempfile
import unittest

from harness import ROOT, SAMPLES, Case, rows_of, run, shell, vips
from weights import NAN, fill, resnet, write_extractors, write_toy

# what makes a run of the presets small
SMALL = {"generator.start": "", "generator.features": 8, "generator.blocks": 1, "generator.growth": 4, "data.crop": 64,
         "data.batch": 2, "data.workers": 1}
NARROW = {"discriminator.width": 4}
SED = {**NARROW, "discriminator.fusion.head_width": 8}


def settings(changes):
    return [argument for key, value in changes.items() for argument in ("--set", f"{key}={value}")]


class Features(Case):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.given = pathlib.Path(folder.name)
        write_extractors(cls.given / "weights")
        for i, sample in enumerate(["rocket.jpg", "coffee.png", "chelsea.png"]):
            for name in ["hr", "sr"]:
                (cls.given / name).mkdir(exist_ok=True)
            hr = cls.given / f"hr/{i}.png"
            vips("thumbnail", SAMPLES / sample, hr, 136, "--height", 152, "--size", "force")
            vips("gaussblur", hr, cls.given / f"sr/{i}.png", 2)

    def features(self, *arguments, status=0):
        result = run("sr-iqa", "features", "--weights", self.given / "weights", *arguments)
        self.assertEqual(result.returncode, status, result.stderr.decode())
        return result

    def numbers(self, *arguments):
        """{name: features} of a table."""
        table = rows_of(self.features(*arguments))
        self.assertEqual(table[0], ["file", *(f"f{i + 1}" for i in range(len(table[0]) - 1))])
        return {row[0]: [float(text) for text in row[1:]] for row in table[1:]}

    def trained(self, preset, **changes):
        """The folder of a run of two iterations."""
        out = self.dir / "runs" / preset
        kind = {"sfd": {"sfd.width": 4}, "sed": SED, "gan": NARROW}[preset[:3]]
        changes = {**SMALL, **kind, **{k.replace("__", "."): v for k, v in changes.items()}}
        self.succeed("sr-train", "gan", "--config", preset, "-o", out, "--data", self.given / "hr", "--weights",
                     self.given / "weights", "--threads", "2", "--iterations", 2, "--precision", "fp32",
                     "--export-sfd" if preset.startswith("sfd") else "--export", self.dir / "export.safetensors",
                     *settings(changes))
        return out


class Clip(Features):
    def test_layers_and_embedding(self):
        picture = self.given / "hr/0.png"
        for layer, width in [("1", 64), ("2", 128), ("3", 256), ("4", 512), ("embedding", 16)]:
            self.assertEqual(len(self.numbers("--layer", layer, picture)[str(picture)]), width)
        table = self.features("--json", picture).stdout
        row = json.loads(table)
        self.assertEqual((row["file"], row["model"]), (str(picture), "CLIP RN50, embedding"))
        self.assertEqual([row[f"f{i + 1}"] for i in range(16)], self.numbers(picture)[str(picture)])
        bare = self.features("--no-header", picture).stdout.decode()
        self.assertTrue(bare.startswith(f"{picture}\t"))

    def test_rows_in_order_from_any_threads_and_shards(self):
        whole = rows_of(self.features(self.given / "hr", self.given / "sr"))
        names = [str(self.given / side / f"{i}.png") for side in ["hr", "sr"] for i in range(3)]
        self.assertEqual([row[0] for row in whole[1:]], names)
        parts = [rows_of(self.features("--shard", f"{i}/2", self.given / "hr", self.given / "sr"))[1:] for i in [1, 2]]
        self.assertEqual(sorted(sum(parts, [])), sorted(whole[1:]))
        listed = run("sr-iqa", "features", "--weights", self.given / "weights", "--files-from", "-", "--jobs", "1",
                     input="\n".join(names).encode())
        self.assertEqual([row[0] for row in rows_of(listed)[1:]], names)

    def test_rows_flow_into_a_map(self):
        """As TSV and as JSON lines."""
        folders = shlex.join(str(self.given / name) for name in ["weights", "hr", "sr"])
        maps = [shell(f"sr-iqa features {form} --weights {folders} | sr-iqa tsne --perplexity 2 --iterations 50")
                for form in ["", "--json"]]
        self.assertEqual([drawn.returncode for drawn in maps], [0, 0], maps)
        self.assertEqual(len(rows_of(maps[0])), 7)
        self.assertEqual(maps[0].stdout, maps[1].stdout)

    def test_bad_pictures_are_told_and_the_others_done(self):
        good = self.crop("in/good.png", 64, 64)
        self.crop("in/small.png", 20, 30)
        result = self.features("-r", self.dir, self.dir / "none.png", status=1)
        self.assertIn(b"in/small.png: CLIP needs 31 pixels", result.stderr)
        self.assertIn(b"none.png", result.stderr)
        self.assertEqual([row[0] for row in rows_of(result)[1:]], [str(good)])

    def test_wrong_usage(self):
        picture = self.given / "hr/0.png"
        weights = ["--weights", self.given / "weights"]
        empty = self.dir / "empty"
        empty.mkdir()
        write_toy(self.dir / "resnet.safetensors", resnet())
        for text, arguments in [("neither a file nor a name", ["-m", "no-such", *weights]),
                                ("fetch-weights CLIP-RN50", ["--weights", empty]),
                                ("--layer", ["--layer", "5", *weights]),
                                ("goes with -m clip", ["--layer", "2", "-m", self.dir / "resnet.safetensors", *weights]),
                                ("--hr goes with", ["--hr", self.given / "hr", *weights]),
                                ("holds no checkpoint", ["-m", empty, *weights]),
                                ("not a discriminator's but", ["-m", self.dir / "resnet.safetensors", *weights])]:
            self.fail_with(2, text, "sr-iqa", "features", picture, *arguments)


class Discriminators(Features):
    def widths(self, model):
        return {len(row) for row in self.numbers("-m", model, self.given / "hr", self.given / "sr").values()}

    def test_every_kind_of_a_run(self):
        kinds = {"gan-p": 32, "gan-u": 4, "sed-p": 32, "sed-u": 4, "sed-p-resnet50": 32}
        for preset, width in kinds.items():
            with self.subTest(preset):
                self.assertEqual(self.widths(self.trained(preset) / "checkpoints/0000002.safetensors"), {width})
        for preset in ["gan-v", "sed-v"]:
            with self.subTest(preset):
                self.assertEqual(self.widths(self.trained(preset, data__crop=128)), {100})

    def test_feat_d_of_runs_and_exports(self):
        run_folder = self.trained("sfd-rrdb")
        pictures = [self.given / "hr", self.given / "sr"]
        rows = self.numbers("-m", run_folder, *pictures)
        self.assertEqual({len(row) for row in rows.values()}, {4})
        for model in [f"feat-d={run_folder}", self.dir / "export.safetensors", f"feat-d={self.dir}/export.safetensors"]:
            self.assertEqual(self.numbers("-m", model, *pictures), rows)
        self.fail_with(2, "trains no Feat-D", "sr-iqa", "features", "--weights", self.given / "weights", "-m",
                       f"feat-d={self.trained('gan-p')}", *pictures)

    def test_semantics_are_the_hr_pictures(self):
        model = self.trained("sed-p", optimiser__rate=0.1)  # or else semantics hardly matter yet
        own = self.numbers("-m", model, self.given / "sr", self.given / "hr")
        given = self.numbers("-m", model, "--hr", self.given / "hr", self.given / "sr", self.given / "hr")
        for i in range(3):
            real, fake = (str(self.given / side / f"{i}.png") for side in ["hr", "sr"])
            self.assertEqual(own[real], given[real])
            self.assertNotEqual(own[fake], given[fake])
        other = self.scaled("sr/other.png", 136, 152)
        result = self.features("-m", model, "--hr", self.given / "hr", other, self.given / "sr/0.png", status=1)
        self.assertIn(b"sr/other.png: ", result.stderr)
        self.assertIn(b"no HR picture of its name", result.stderr)
        small = self.crop("sr/1.png", 64, 64)
        result = self.features("-m", model, "--hr", self.given / "hr", small, status=1)
        self.assertIn(b"its HR picture is 136x152, not 64x64", result.stderr)

    def test_weights_of_a_discriminator_alone(self):
        """By keys, as published files are."""
        conv = {"conv0": [4, 3, 3, 3], "conv9": [1, 4, 3, 3]}
        shapes = {f"{name}.{part}": shape if part == "weight" else shape[:1] for name, shape in conv.items()
                  for part in ["weight", "bias"]}
        for number, (out, into, side) in enumerate([(8, 4, 4), (16, 8, 4), (32, 16, 4), (16, 32, 3), (8, 16, 3), (4, 8, 3),
                                                    (4, 4, 3), (4, 4, 3)], 1):
            shapes[f"conv{number}.weight_orig"] = [out, into, side, side]
            shapes[f"conv{number}.weight_u"], shapes[f"conv{number}.weight_v"] = [out], [into * side * side]
        file = self.dir / "netD.safetensors"
        write_toy(file, shapes)
        row = self.numbers("-m", file, self.given / "hr/0.png")
        self.assertEqual({len(row) for row in row.values()}, {4})
        cut = self.dir / "cut.png"  # what divides by 8 in the middle of 101 x 87
        vips("crop", self.given / "hr/0.png", self.dir / "odd.png", 0, 0, 101, 87)
        vips("crop", self.dir / "odd.png", cut, 2, 3, 96, 80)
        odd, middle = (self.numbers("-m", file, self.dir / name) for name in ["odd.png", "cut.png"])
        self.assertEqual(*(list(rows.values()) for rows in [odd, middle]))
        fill(file, "conv0.bias", NAN)
        self.assertIn(b"0.png: its features are no finite numbers",
                      self.features("-m", file, self.given / "hr/0.png", status=1).stderr)


class Tsne(Case):
    def write_rows(self, name, centre, count=20, columns=5):
        random.seed(centre)
        rows = [[random.gauss(centre, 1) for _ in range(columns)] for _ in range(count)]
        text = "# model: made up\nfile\t" + "\t".join(f"f{i + 1}" for i in range(columns)) + "\n"
        text += "".join(f"{name}/{i}.png\t" + "\t".join(map(repr, row)) + "\n" for i, row in enumerate(rows))
        path = self.dir / f"{name}.tsv"
        path.write_text(text)
        return path

    def points(self, *arguments, **options):
        result = self.succeed("sr-iqa", "tsne", "--perplexity", "8", *arguments, **options)
        table = rows_of(result)
        self.assertEqual(table[0], ["file", "x", "y"])
        return [(name, float(x), float(y)) for name, x, y in table[1:]]

    def check_apart(self, points):
        """Each picture's nearest neighbour is in its own folder."""
        for name, x, y in points:
            nearest = min((p for p in points if p[0] != name), key=lambda p: math.dist(p[1:], (x, y)))
            self.assertEqual(nearest[0].split("/")[0], name.split("/")[0])

    def test_sets_stay_apart(self):
        files = [self.write_rows("real", 0), self.write_rows("fake", 8)]
        points = self.points(*files)
        self.assertEqual([p[0] for p in points], [f"{n}/{i}.png" for n in ["real", "fake"] for i in range(20)])
        self.check_apart(points)
        joined = b"".join(file.read_bytes() for file in files)
        self.assertEqual(self.points(input=joined), points)
        self.assertEqual(self.points("-", input=joined), points)
        self.check_apart(self.points("--init", "random", *files))

    def test_same_seed_same_bytes(self):
        rows = self.write_rows("real", 0)
        def printed(*arguments):
            return self.succeed("sr-iqa", "tsne", "--perplexity", "5", "--iterations", 300, *arguments, rows).stdout
        first = printed("--init", "random", "--seed", 3, "--threads", 1)
        self.assertEqual(printed("--init", "random", "--seed", 3, "--threads", 2), first)
        self.assertNotEqual(printed("--init", "random", "--seed", 4), first)
        self.assertEqual(printed("--threads", 1), printed("--threads", 2))
        self.assertIn(b"# tsne: exact, perplexity 5, 300 iterations, random, seed 3, KL divergence 0.", first)
        row = json.loads(printed("--json").splitlines()[0])
        self.assertEqual(row["file"], "real/0.png")
        self.assertEqual(len(printed("--no-header").splitlines()), 20)

    def test_wrong_rows_are_usage_errors(self):
        rows = self.write_rows("real", 0)
        self.fail_with(2, "--perplexity: 30 is too large for 20 rows, it must be below 19", "sr-iqa", "tsne", rows)
        self.fail_with(2, "columns are not those of the first file", "sr-iqa", "tsne", rows,
                       self.write_rows("fake", 1, columns=4))
        self.fail_with(2, "none.tsv", "sr-iqa", "tsne", self.dir / "none.tsv")
        self.fail_with(2, "standard input can be read once", "sr-iqa", "tsne", "-", "-")
        text = rows.read_text()
        rows.write_text(text.replace("real/3.png\t", "real/3.png\tx"))
        self.fail_with(2, "column 'f1' has both numbers and text", "sr-iqa", "tsne", rows)
        rows.write_text(text.replace("real/3.png\t", "real/3.png\tnan\t").replace("f5", "f5\tf6"))
        self.assertEqual(run("sr-iqa", "tsne", rows).returncode, 2)
        rows.write_text("file\tf1\n" + "".join(f"{i}.png\t{i}e160\n" for i in range(20)))
        self.fail_with(2, "rows that are less than", "sr-iqa", "tsne", "--perplexity", 5, rows)
        rows.write_text("")
        self.fail_with(2, "there are no rows in it", "sr-iqa", "tsne", rows)
        rows.write_text(text.replace("\nfile\tf1", "\nfile\tgroup\tf1").replace(".png\t", ".png\ta\t"))
        self.assertEqual(len(self.points(rows)), 20)  # a column of text is no feature

    @unittest.skipUnless(shutil.which("gnuplot"), "needs gnuplot")
    def test_maps_are_drawn(self):
        files = shlex.join(str(self.write_rows(*of)) for of in [("real", 0), ("it's_fake", 8)])
        for name in ["map.svg", "map.png"]:
            drawn = shell(f"sr-iqa tsne --perplexity 8 {files} | {ROOT}/scripts/plot-tsne -o {self.dir}/{name}")
            self.assertEqual(drawn.returncode, 0, drawn.stderr.decode())
        text = (self.dir / "map.svg").read_text()
        for group in ["real", "it's_fake"]:
            self.assertIn(f"<text>{group}</text>", text)
        self.assertEqual((self.dir / "map.png").read_bytes()[:4], b"\x89PNG")
        self.fail_with(2, "must end in .svg or .png", ROOT / "scripts/plot-tsne", self.dir / "map.tsv", "-o", "map.pdf")
        (self.dir / "bad.tsv").write_text("file\tx\ty\na.png\t1\tz\n")
        self.fail_with(1, "bad.tsv:2", ROOT / "scripts/plot-tsne", self.dir / "bad.tsv", "-o", self.dir / "bad.svg")


if __name__ == "__main__":
    unittest.main()
