"""sr-metrics and sr-degrade."""

import json
import unittest

from harness import DATA, SAMPLES, Case, run, size, vips


class Metrics(Case):
    def table(self, *arguments):
        lines = self.succeed("sr-metrics", *arguments).stdout.decode().splitlines()
        return [line.split("\t") for line in lines if not line.startswith("#")]

    def test_equal_pictures(self):
        picture = self.crop("a.png")
        self.assertEqual(self.table(picture, picture)[1:], [[str(picture), "inf", "1"], ["mean", "inf", "1"]])

    def test_columns_come_in_the_order_asked(self):
        a, b = self.crop("a.png"), self.crop("b.jpg")
        rows = self.table("-m", "ssim,psnr", a, b)
        self.assertEqual(rows[0], ["file", "ssim", "psnr"])
        self.assertLess(float(rows[1][1]), 1)
        self.fail_with(2, "is no metric", "sr-metrics", "-m", "psnr,beauty", a, b)

    def test_folders_are_matched_by_name(self):
        for name in ["x.png", "y.png", "only_a.png"]:
            self.crop(f"a/{name}")
        for name in ["x.png", "y.jpg", "only_b.png"]:
            self.crop(f"b/{name}")
        result = run("sr-metrics", self.dir / "a", self.dir / "b")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"only_a.png: no partner", result.stderr)
        self.assertIn(b"only_b.png: no partner", result.stderr)
        self.assertEqual([line.split(b"\t")[0] for line in result.stdout.splitlines()[2:]], [b"x.png", b"y.png", b"mean"])

    def test_sizes_that_differ_are_an_error_that_names_both(self):
        self.fail_with(1, "40x30", "sr-metrics", self.crop("a.png"), self.crop("b.png", 41, 30))

    def test_json_and_pairs(self):
        a, b = self.crop("a.png"), self.crop("b.jpg")
        (self.dir / "pairs.tsv").write_text(f"# pairs\n{a}\t{b}\n{a}\t{a}\n")
        lines = self.succeed("sr-metrics", "--pairs", self.dir / "pairs.tsv", "--json", "--protocol", "sr-y", "--scale",
                             "2").stdout.decode().splitlines()
        first, second, mean = map(json.loads, lines)
        self.assertIn("crop border 2", first["protocol"])
        self.assertEqual((second["psnr"], mean["psnr"]), ("inf", "inf"))
        self.assertAlmostEqual(mean["ssim"], (first["ssim"] + 1) / 2)
        (self.dir / "bad.tsv").write_text("just one name\n")
        self.fail_with(2, "bad.tsv:1", "sr-metrics", "--pairs", self.dir / "bad.tsv")

    @unittest.skipUnless(DATA.exists(), "needs ../shared/data")
    def test_published_bicubic_row_of_set5(self):
        hr, lr = DATA / "Set5/HR", self.dir / "lr"
        self.succeed("sr-degrade", "-m", "bicubic", "-s", "4", hr, "-o", lr)
        for path in sorted((DATA / "Set5/LRbicx4").iterdir()):
            self.assertEqual(self.table(path, lr / path.name)[1][1], "inf", path.name)

    def test_degrade_sizes(self):
        self.succeed("sr-degrade", "-s", "3", self.crop("a.png", 40, 31), "-o", self.dir / "lr.png")
        self.assertEqual(size(self.dir / "lr.png"), (14, 11))
        self.fail_with(2, "--scale", "sr-degrade", "-s", "0.5", SAMPLES / "chelsea.png", "-o", self.dir / "x.png")


if __name__ == "__main__":
    unittest.main()
