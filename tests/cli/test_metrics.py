"""sr-metrics."""

import array
import json
import struct
import unittest
import zipfile

from harness import DATA, ROOT, SAMPLES, Case, run, shell, vips
from weights import write_lpips


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
        names = [line.split(b"\t")[0] for line in result.stdout.splitlines() if not line.startswith(b"#")]
        self.assertEqual(names, [b"file", b"x.png", b"y.png", b"mean"])

    def test_sizes_that_differ_are_an_error_that_names_both(self):
        self.fail_with(1, "40x30", "sr-metrics", self.crop("a.png"), self.crop("b.png", 41, 30))

    def test_json_and_pairs(self):
        a, b = self.crop("a.png"), self.crop("b.jpg")
        (self.dir / "pairs.tsv").write_text(f"# pairs\n{a}\t{b}\n{a}\t{a}\n")
        lines = self.succeed("sr-metrics", "--pairs", self.dir / "pairs.tsv", "--json", "--protocol", "sr-y", "--scale",
                             "2").stdout.decode().splitlines()
        first, second, mean = map(json.loads, lines)
        self.assertIn("crop border 2", first["psnr_protocol"])
        self.assertEqual(first["protocol"], "sr-y")
        self.assertEqual((second["psnr"], mean["psnr"]), ("inf", "inf"))
        self.assertAlmostEqual(mean["ssim"], (first["ssim"] + 1) / 2)
        (self.dir / "bad.tsv").write_text("just one name\n")
        self.fail_with(2, "bad.tsv:1", "sr-metrics", "--pairs", self.dir / "bad.tsv")
        a.rename(self.dir / "#a.png")
        (self.dir / "pairs.tsv").write_text("# pairs\n#a.png\tb.jpg\n")
        self.assertIn(b"#a.png", self.succeed("sr-metrics", "--pairs", "pairs.tsv", cwd=self.dir).stdout)

    def test_align_crop_compares_what_both_have(self):
        a, b = self.crop("a.png", 44, 30), self.crop("b.png", 40, 33)
        self.fail_with(1, "44x30 and 40x33", "sr-metrics", a, b)
        self.assertEqual(self.table("--align", "crop", a, b)[1][1:], ["inf", "1"])

    def test_tables_for_people(self):
        a, b = self.crop("a_b.png"), self.crop("b.jpg")
        markdown = self.succeed("sr-metrics", "--format", "md", a, b).stdout.decode().splitlines()
        self.assertEqual(markdown[-4], "| file | psnr ↑ | ssim ↑ |")
        self.assertEqual(markdown[-3], "| :-- | --: | --: |")
        self.assertRegex(markdown[-1], r"^\| mean \| \d+\.\d\d \| 0\.\d{4} \|$")
        latex = self.succeed("sr-metrics", "--format", "latex", a, b).stdout.decode()
        self.assertIn("\\begin{tabular}{lrr}", latex)
        self.assertIn("a\\_b.png &", latex)
        self.assertIn("psnr $\\uparrow$", latex)
        self.assertTrue(latex.endswith("\\bottomrule\n\\end{tabular}\n"))

    def test_stats_add_a_row_of_deviations(self):
        for name, quality in [("x", 50), ("y", 90)]:
            vips("copy", self.crop(f"b/{name}.png"), f"{self.crop(f'a/{name}.jpg').with_suffix('.jpg')}[Q={quality}]")
        rows = self.table("--stats", "-m", "ssim", self.dir / "a", self.dir / "b")
        first, second, mean, deviation = (float(row[1]) for row in rows[1:])
        self.assertEqual([row[0] for row in rows[1:]], ["x.jpg", "y.jpg", "mean", "std"])
        self.assertAlmostEqual(mean, (first + second) / 2)
        self.assertAlmostEqual(deviation, abs(first - second) / 2**0.5)

    def test_lpips_by_weights_from_the_command_line(self):
        write_lpips(self.dir / "weights")
        a, b = self.crop("a.png", 64, 64), self.crop("b.jpg", 64, 64)
        weights = ["--weights", self.dir / "weights", "-m"]
        equal, mean = (json.loads(line) for line in self.succeed(
            "sr-metrics", "--json", *weights, "lpips,psnr", a, a).stdout.decode().splitlines())
        self.assertEqual((equal["lpips"], equal["psnr"]), (0, "inf"))
        self.assertIn("AlexNet", equal["lpips_protocol"])
        self.assertGreater(float(self.table(*weights, "lpips", a, b)[1][1]), 0)
        other = f"lpips={self.dir / 'weights/lpips-alex.safetensors'}"
        self.assertEqual(self.table(*weights, "lpips", a, b), self.table(*weights, other, a, b))
        self.fail_with(2, "fetch-weights lpips-vgg", "sr-metrics", *weights, "lpips-vgg", a, b)
        self.fail_with(2, "psnr", "sr-metrics", *weights, "psnr=weights.pth", a, b)
        self.fail_with(1, "8x8", "sr-metrics", *weights, "lpips", self.crop("s.png", 8, 8), self.crop("t.png", 8, 8))

    def test_fid_of_kept_statistics(self):
        def statistics(name, mu, variance):
            """mu and sigma as numpy.savez keeps them: 2048 numbers, and a diagonal matrix of as many rows."""
            n = 2048
            arrays = {"mu": ((n,), [mu] * n), "sigma": ((n, n), [0.0] * (n * n))}
            arrays["sigma"][1][::n + 1] = [variance] * n
            with zipfile.ZipFile(self.dir / name, "w", zipfile.ZIP_DEFLATED) as archive:
                for key, (shape, values) in arrays.items():
                    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
                    header += b" " * (-(len(header) + 11) % 64) + b"\n"
                    archive.writestr(f"{key}.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header +
                                     array.array("d", values).tobytes())
            return self.dir / name

        a, b = statistics("a.npz", 0.5, 1.0), statistics("b.npz", 0.25, 4.0)
        self.assertAlmostEqual(float(self.table("-m", "fid", a, a)[1][1]), 0, 6)
        # |mu - mu'|^2 + sum (sqrt(v) - sqrt(v'))^2
        self.assertAlmostEqual(float(self.table("-m", "fid", a, b)[1][1]), 2048 * (0.0625 + 1), 6)
        (self.dir / "bad.npz").write_bytes(a.read_bytes()[:1000])
        self.fail_with(2, "bad.npz", "sr-metrics", "-m", "fid", a, self.dir / "bad.npz")
        self.fail_with(2, "two pictures or more", "sr-metrics", "-m", "fid", a, self.crop("one/a.png").parent)

    def test_wrong_usage(self):
        a = self.crop("a.png")
        self.fail_with(2, "comes twice", "sr-metrics", "-m", "psnr,psnr", a, a)
        self.fail_with(2, "one folder", "sr-metrics", "-m", "fid", "--save-stats", self.dir / "x.npz", a, a)
        self.fail_with(2, "--save-stats", "sr-metrics", "--save-stats", self.dir / "x.npz", a, a)

    def test_a_pipeline_into_a_markdown_table(self):
        result = shell(f"sr-degrade -s 4 {SAMPLES}/chelsea.png -o - | sr-upscale -m bicubic - -o - | "
                       f"sr-metrics --protocol sed --format md - {SAMPLES}/chelsea.png")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout.decode(), r"\| mean \| 2\d\.\d\d \| 0\.\d{4} \|\n$")


@unittest.skipUnless(DATA.exists(), "needs ../shared/data")
class Benchmarks(Case):
    """The bicubic rows that every paper has."""

    def row(self, protocol, lr, hr, *options):
        self.succeed("sr-upscale", "-m", "bicubic", "--depth", "8", lr, "-o", self.dir / "sr", "--format", "png")
        lines = self.succeed("sr-metrics", "--protocol", protocol, self.dir / "sr", hr, *options).stdout.decode()
        return [float(text) for text in lines.splitlines()[-1].split("\t")[1:]]

    def test_rows_of_our_own_pipeline(self):
        golden = [line.split("\t") for line in (ROOT.parent / "shared/golden/metrics/bicubic_x4.tsv").read_text().splitlines()]
        for name in ["Set5", "Set14", "BSD100"]:
            expected = next(row for row in golden if row[:2] == [name, "MEAN"])
            psnr, ssim = self.row("sed", DATA / name / "LRbicx4", DATA / name / "HR")
            self.assertAlmostEqual(psnr, float(expected[5]), 4, name)
            self.assertAlmostEqual(ssim, float(expected[6]), 4, name)
            for path in (self.dir / "sr").iterdir():
                path.unlink()

    def test_rows_of_the_papers_matlab_scripts(self):
        for name, psnr, ssim in [("Set5", "28.42", "0.8104"), ("BSD100", "25.96", "0.6674")]:
            hr, lr = DATA / name / "HR", self.dir / name
            self.succeed("sr-degrade", "--luma", "--depth", "16", "-s", "4", hr, "-o", lr)
            row = self.row("matlab", lr, hr)
            self.assertEqual((f"{row[0]:.2f}", f"{row[1]:.4f}"), (psnr, ssim))
            for path in (self.dir / "sr").iterdir():
                path.unlink()

    def test_degraded_files_are_those_of_the_benchmark(self):
        hr, lr = DATA / "Set5/HR", self.dir / "lr"
        self.succeed("sr-degrade", "-m", "bicubic", "-s", "4", hr, "-o", lr)
        rows = self.succeed("sr-metrics", "-m", "psnr", lr, DATA / "Set5/LRbicx4").stdout.decode().splitlines()
        self.assertEqual({row.split("\t")[1] for row in rows if "png" in row}, {"inf"})


if __name__ == "__main__":
    unittest.main()
