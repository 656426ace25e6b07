"""sr-degrade: pipelines, recipes, pairs."""

import json
import unittest

from harness import SAMPLES, Case, header, pixels, run, shell, size, tree, vips

PRESETS = ["bicubic", "realesrgan", "seesr", "bsrgan"]


class Degrade(Case):
    def crop(self, name, width=160, height=160):
        """A picture of any size."""
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        vips("thumbnail", SAMPLES / "coffee.png", path, width, "--height", height, "--size", "force")
        return path

    def pictures(self, count=5, side=160):
        for i in range(count):
            self.crop(f"hr/{'sub/' if i % 2 else ''}{i}.png", side + 4 * i, side)
        return self.dir / "hr"

    def degrade(self, out, *arguments):
        return self.succeed("sr-degrade", "-r", *arguments, "-o", self.dir / out)

    def test_same_seed_same_bytes(self):
        hr = self.pictures()
        for preset in PRESETS:
            with self.subTest(preset):
                arguments = ["-m", preset, "--seed", 7, hr]
                self.degrade(f"{preset}/one", *arguments, "--threads", 1)
                whole = tree(self.dir / preset / "one")
                self.assertEqual(len(whole), 5)
                self.degrade(f"{preset}/two", *arguments, "--threads", 2, "--jobs", 4)
                self.assertEqual(tree(self.dir / preset / "two"), whole)
                for shard in ["1/2", "2/2"]:
                    self.degrade(f"{preset}/shards", *arguments, "--shard", shard)
                self.assertEqual(tree(self.dir / preset / "shards"), whole)
                self.degrade(f"{preset}/other", "-m", preset, "--seed", 8, hr)
                self.assertEqual(tree(self.dir / preset / "other") == whole, preset == "bicubic")

    def test_replay_repeats_what_was_recorded(self):
        hr, recipes = self.pictures(), self.dir / "recipes.ndjson"
        for preset in PRESETS:
            with self.subTest(preset):
                self.degrade(f"{preset}/first", "-m", preset, "--seed", 3, "--record", recipes, hr)
                lines = [json.loads(line) for line in recipes.read_text().splitlines()]
                self.assertEqual([line["image"] for line in lines], sorted(line["image"] for line in lines))
                self.assertEqual(len(lines), 5)
                again = self.dir / "again.ndjson"
                self.degrade(f"{preset}/again", "--replay", recipes, "--record", again, "--threads", 1, hr)
                self.assertEqual(tree(self.dir / preset / "again"), tree(self.dir / preset / "first"))
                self.assertEqual(again.read_bytes(), recipes.read_bytes())

    def test_a_contact_sheet_shows_pairs(self):
        hr, sheet = self.pictures(), self.dir / "sheet.png"
        self.degrade("plain", "-m", "realesrgan", hr)
        self.degrade("out", "-m", "realesrgan", "--contact-sheet", sheet, hr)
        self.assertEqual(tree(self.dir / "out"), tree(self.dir / "plain"))
        width, height = size(sheet)
        # columns of pairs as wide as their widest: 0 and sub/3, sub/1 and 4 (in the order of their names: 0 2 4 | sub/1 3)
        self.assertEqual(width, 8 + sum(2 * (160 + 4 * widest) + 2 + 8 for widest in [1, 3, 4]))
        self.assertGreater(height, 8 + 2 * (160 + 8))
        shown = self.dir / "shown.png"
        vips("crop", sheet, shown, 8, 8, 160, 160)
        self.assertEqual(pixels(shown)[0], pixels(hr / "0.png")[0])  # small enough to be shown as it is
        vips("crop", sheet, shown, 8 + 160 + 2, 8, 160, 160)
        squares = self.dir / "squares.png"
        vips("zoom", self.dir / "out/0.png", squares, 4, 4)
        self.assertEqual(pixels(shown)[0], pixels(squares)[0])

    def test_a_contact_sheet_of_pairs_large_pictures_and_what_was_there(self):
        hr, sheet = self.pictures(2), self.dir / "sheet.jpg"
        self.succeed("sr-degrade", "-r", "-m", "seesr", "--crop", 128, "--pairs", self.dir / "pairs", "--contact-sheet",
                     sheet, hr)
        self.assertEqual(size(sheet)[0], 8 + 2 * (2 * 128 + 2 + 8))
        self.assertEqual(header(sheet, "vips-loader"), "jpegload")
        self.crop("large/a.png", 1200, 700)
        (self.dir / "large/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        for more in [], ["--skip-existing"]:
            self.fail_with(1, "broken.png", "sr-degrade", self.dir / "large", "-o", self.dir / "out", *more,
                           "--contact-sheet", sheet)
            self.assertEqual(size(sheet)[0], 8 + 2 * 256 + 2 + 8)
            sheet.unlink()

    def test_what_a_contact_sheet_cannot_be(self):
        picture, out = self.crop("hr/a.png", 40, 40), self.dir / "lr.png"
        for sheet, text in [("sheet", "no extension"), ("-", "no extension"), (out, "both be written"),
                            (picture, "would be overwritten"), (self.dir / "no/sheet.png", "No such file")]:
            self.fail_with(2, text, "sr-degrade", picture, "-o", out, "--contact-sheet", sheet)
        for record, sheet, text in [("s.png", "./s.png", "--record and --contact-sheet would both"),
                                    ("./lr.png", "s.png", "and --record would both be written")]:
            self.fail_with(2, text, "sr-degrade", picture, "-o", out, "--record", record, "--contact-sheet", sheet, cwd=self.dir)
        self.fail_with(2, "-o -", "sr-degrade", picture, "-o", "-", "--contact-sheet", self.dir / "s.png")
        self.fail_with(2, "standard input", "sr-degrade", "-", "-o", out, "--contact-sheet", self.dir / "s.png")
        self.assertEqual(sorted(tree(self.dir)), ["hr/a.png"])

    def test_replay_of_another_picture(self):
        a, recipes = self.crop("a.png", 80, 80), self.dir / "r.ndjson"
        self.succeed("sr-degrade", "-m", "realesrgan", "--record", recipes, a, "-o", self.dir / "lr.png")
        b, smaller = self.crop("b.png", 80, 80), self.crop("other/a.png", 80, 60)
        self.fail_with(1, "r.ndjson has no recipe for it", "sr-degrade", "--replay", recipes, b, "-o", self.dir / "x.png")
        self.fail_with(1, "80x60 pixels, its recipe is for 80x80", "sr-degrade", "--replay", recipes, smaller, "-o",
                       self.dir / "x.png")
        recipes.write_text("\nnonsense\n")
        self.fail_with(2, "r.ndjson:2: ", "sr-degrade", "--replay", recipes, a, "-o", self.dir / "x.png")
        self.fail_with(2, "--seed", "sr-degrade", "--replay", recipes, "--seed", "1", a, "-o", self.dir / "x.png")

    def test_recipes_through_a_pipeline(self):
        picture = self.crop("a.png", 80, 80)
        self.succeed("sr-degrade", "-m", "bsrgan", "--record", self.dir / "r", picture, "-o", self.dir / "lr.png")
        result = shell(f"sr-degrade -m bsrgan --record - {picture} -o {self.dir}/again.png | sr-degrade --replay - {picture} "
                       f"-o - --format ppm | vipsheader -f width stdin.ppm 2>/dev/null; cmp {self.dir}/lr.png {self.dir}/again.png")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_resumed_run_records_everything(self):
        hr = self.pictures()
        self.degrade("out", "-m", "realesrgan", "--record", self.dir / "whole", hr)
        whole = tree(self.dir / "out")
        (self.dir / "out/0.png").unlink()
        (self.dir / "out/sub/3.png").unlink()
        self.degrade("out", "-m", "realesrgan", "--record", self.dir / "resumed", "--skip-existing", hr)
        self.assertEqual(tree(self.dir / "out"), whole)
        self.assertEqual((self.dir / "resumed").read_bytes(), (self.dir / "whole").read_bytes())

    def test_pairs_as_seesr_stores_them(self):
        self.pictures(3, 200)
        self.crop("hr/small.png", 60, 70)
        pairs, recipes = self.dir / "pairs", self.dir / "r.ndjson"
        self.fail_with(1, "small.png: 60x70 pixels are too few for a crop of 128x128", "sr-degrade", "-r", "-m", "seesr",
                       "--crop", "128", "--record", recipes, "--pairs", pairs, self.dir / "hr")
        names = ["0.png", "2.png", "sub/1.png"]
        for folder, side in [("gt", 128), ("lr", 32), ("sr_bicubic", 128)]:
            self.assertEqual(sorted(tree(pairs / folder)), names)
            for name in names:
                self.assertEqual(size(pairs / folder / name), (side, side))
        self.fail_with(1, "small.png: ", "sr-degrade", "-r", "--replay", recipes, "--pairs", self.dir / "again", self.dir / "hr")
        self.assertEqual(tree(self.dir / "again"), tree(pairs))

    def test_pairs_of_whole_pictures(self):
        self.crop("hr/a.jpg", 203, 101)
        self.succeed("sr-degrade", "-m", "realesrgan", "--seed", 1, "--pairs", self.dir / "pairs", self.dir / "hr")
        self.assertEqual(sorted(tree(self.dir / "pairs")), ["gt/a.png", "lr/a.png"])
        self.assertEqual(size(self.dir / "pairs/gt/a.png"), (200, 100))
        self.assertEqual(size(self.dir / "pairs/lr/a.png"), (50, 25))

    def test_resize_as_for_dape(self):
        self.pictures(2)
        self.succeed("sr-degrade", "-r", "-m", "seesr", "--resize", "128", "--pairs", self.dir / "pairs", self.dir / "hr")
        for folder, side in [("gt", 128), ("lr", 32), ("sr_bicubic", 128)]:
            self.assertEqual(size(self.dir / "pairs" / folder / "0.png"), (side, side))

    def test_bad_pictures_do_not_stop_the_batch(self):
        self.crop("hr/good.png", 160, 160)
        self.crop("hr/tiny.png", 12, 12)
        (self.dir / "hr/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
        result = run("sr-degrade", "-m", "realesrgan", self.dir / "hr", "-o", self.dir / "out/")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(sorted(tree(self.dir / "out")), ["good.png"])
        for name in [b"tiny.png: ", b"broken.png: "]:
            self.assertEqual(result.stderr.count(name), 1, result.stderr)

    def test_grey_and_transparent_pictures(self):
        vips("colourspace", self.crop("a.png", 160, 160), self.dir / "grey.png", "b-w")
        self.succeed("sr-degrade", "-m", "realesrgan", self.dir / "grey.png", "-o", self.dir / "lr.png")
        self.assertEqual(header(self.dir / "lr.png", "bands"), "3")
        vips("bandjoin_const", self.dir / "a.png", self.dir / "rgba.png", "128")
        result = self.succeed("sr-degrade", "-m", "realesrgan", self.dir / "rgba.png", "-o", self.dir / "lr.png")
        self.assertIn(b"transparency is dropped", result.stderr)
        self.assertEqual(header(self.dir / "lr.png", "bands"), "3")
        self.succeed("sr-degrade", self.dir / "rgba.png", "-o", self.dir / "kept.png")
        self.assertEqual(header(self.dir / "kept.png", "bands"), "4")

    def test_scale(self):
        picture = self.crop("a.png", 160, 120)
        for preset in PRESETS[1:]:
            self.succeed("sr-degrade", "-m", preset, "-s", "2", picture, "-o", self.dir / "lr.png")
            self.assertEqual(size(self.dir / "lr.png"), (80, 60))
        self.fail_with(2, "takes whole scales", "sr-degrade", "-m", "bsrgan", "-s", "2.5", picture, "-o", self.dir / "x.png")

    def test_a_pipeline_of_ones_own(self):
        own = self.dir / "mild.toml"
        own.write_text('extends = "realesrgan"\norder = ["blur1", "round"]\n[blur1]\nprob = 0\n')
        picture = self.crop("a.png", 160, 120)
        self.succeed("sr-degrade", "-m", own, picture, "-o", self.dir / "same.png")
        self.assertEqual(pixels(self.dir / "same.png"), pixels(picture))
        own.write_text('extends = "realesrgan"\n[blur1]\n\nsigma = [-1, 2]\n')
        self.fail_with(2, "mild.toml:4: -1 is less than 0", "sr-degrade", "-m", own, picture, "-o", self.dir / "x.png")
        self.fail_with(2, "neither a .toml file nor a preset (bicubic, bsrgan, realesrgan, seesr)", "sr-degrade", "-m",
                       "blurry", picture, "-o", self.dir / "x.png")
        self.fail_with(2, "nowhere.toml: No such file", "sr-degrade", "-m", self.dir / "nowhere.toml", picture, "-o",
                       self.dir / "x.png")

    def test_inputs_are_not_overwritten(self):
        original = self.crop("data/gt/a.png").read_bytes()
        self.fail_with(2, "would be overwritten", "sr-degrade", "-m", "seesr", "--pairs", self.dir / "data", self.dir / "data/gt")
        self.fail_with(2, "would be overwritten", "sr-degrade", "--record", self.dir / "data/gt/a.png", self.dir / "data/gt", "-o",
                       self.dir / "lr/")
        self.assertEqual((self.dir / "data/gt/a.png").read_bytes(), original)
        (self.dir / "file").write_text("")
        self.fail_with(2, "Not a directory", "sr-degrade", "-m", "seesr", "--pairs", self.dir / "file", self.dir / "data/gt")

    def test_a_skipped_picture_that_cannot_be_recorded_is_a_failure(self):
        (self.dir / "hr").mkdir()
        (self.dir / "hr/a.png").write_text("junk")
        self.crop("out/a.png")
        self.fail_with(1, "a.png: ", "sr-degrade", "--skip-existing", "--record", self.dir / "r", self.dir / "hr", "-o",
                       self.dir / "out/")

    def test_replay_of_bicubic_minds_the_size(self):
        self.succeed("sr-degrade", "--record", self.dir / "r", self.crop("a.png", 80, 80), "-o", self.dir / "lr.png")
        self.fail_with(1, "its recipe is for 80x80", "sr-degrade", "--replay", self.dir / "r", self.crop("b/a.png", 80, 60), "-o",
                       self.dir / "x.png")

    def test_options_that_do_not_go_together(self):
        picture = self.crop("a.png")
        self.fail_with(2, "--pairs", "sr-degrade", "--crop", "16", picture, "-o", self.dir / "x.png")
        self.fail_with(2, "either --pairs or -o", "sr-degrade", "--pairs", self.dir / "p", picture, "-o", self.dir / "x.png")
        self.fail_with(2, "no multiple of the scale", "sr-degrade", "-m", "seesr", "--pairs", self.dir / "p", "--crop", "130", picture)
        self.fail_with(2, "larger", "sr-degrade", "--pairs", self.dir / "p", "--crop", "64", "--resize", "32", picture)
        self.fail_with(2, "nowhere/r", "sr-degrade", "--record", self.dir / "nowhere/r", picture, "-o", self.dir / "x.png")
        self.assertFalse((self.dir / "x.png").exists())
        self.fail_with(2, "share standard output", "sr-degrade", "--record", "-", picture, "-o", "-")

    def test_sizes(self):
        self.succeed("sr-degrade", "-s", "3", self.crop("a.png", 40, 31), "-o", self.dir / "lr.png")
        self.assertEqual(size(self.dir / "lr.png"), (14, 11))
        self.fail_with(2, "--scale", "sr-degrade", "-s", "0.5", SAMPLES / "chelsea.png", "-o", self.dir / "x.png")

    def test_luma_alone(self):
        self.succeed("sr-degrade", "--luma", "-s", "1", self.crop("a.png", 40, 31), "-o", self.dir / "y.png")
        grey, bands = pixels(self.dir / "y.png")
        self.assertEqual((bands, len(grey)), (1, 40 * 31))
        colours, _ = pixels(self.dir / "a.png")
        for i in range(0, len(grey), 97):
            r, g, b = colours[3 * i:3 * i + 3]
            self.assertEqual(grey[i], round(16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255))
        self.fail_with(2, "--luma", "sr-degrade", "--luma", "-m", "seesr", self.dir / "a.png", "-o", self.dir / "z.png")


if __name__ == "__main__":
    unittest.main()
