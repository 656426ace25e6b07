"""sr-iqa correlate and sr-iqa fit-niqe."""

import json
import math
import random
import struct
import unittest
import zlib

from harness import SAMPLES, Case, header, run, vips


def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def mat_variable(kind, shape, name, contents):
    head = element(6, struct.pack("<II", kind, 0)) + element(5, struct.pack("<ii", *shape)) + element(1, name)
    return element(14, head + contents)


def write_mat(path, variable):
    """A MATLAB file of one compressed variable."""
    packed = zlib.compress(variable)
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM"
    path.write_bytes(header + struct.pack("<II", 15, len(packed)) + packed)


class Correlate(Case):
    def setUp(self):
        super().setUp()
        random.seed(5)
        self.names = [f"img{i:02d}.png" for i in range(40)]
        self.mos = [1 + 4 * random.random() for _ in self.names]
        self.scores = [10 - 2 * m + 0.2 * random.random() for m in self.mos]

    def write_scores(self, names=None, scores=None, folder="pictures/"):
        path = self.dir / "scores.tsv"
        rows = "".join(f"{folder}{n}\t{s}\t1\n" for n, s in zip(names or self.names, scores or self.scores))
        path.write_text(f"# protocol: as ever\nfile\tniqe\tflat\n{rows}mean\t5\t1\nstd\t1\t0\n")
        return path

    def write_mos(self, text):
        path = self.dir / "mos.csv"
        path.write_text(text)
        return path

    def plain_mos(self):
        return self.write_mos("".join(f"{n},{m}\n" for n, m in zip(self.names, self.mos)))

    def rows(self, *arguments, status=0):
        result = run("sr-iqa", "correlate", "--format", "json", *arguments)
        self.assertEqual(result.returncode, status, result.stderr.decode())
        return [json.loads(line) for line in result.stdout.splitlines()]

    def plcc(self):
        n = len(self.mos)
        a, b = sum(self.scores) / n, sum(self.mos) / n
        cross = sum((s - a) * (m - b) for s, m in zip(self.scores, self.mos))
        return cross / math.sqrt(sum((s - a) ** 2 for s in self.scores) * sum((m - b) ** 2 for m in self.mos))

    def check(self, row, n=40):
        self.assertEqual(row["n"], n)
        self.assertAlmostEqual(row["plcc"], self.plcc(), places=12)
        self.assertGreater(row["plcc_logistic4"], -row["plcc"] - 1e-9)
        self.assertGreater(row["plcc_logistic5"], 0.99)
        self.assertLess(row["srcc"], -0.9)

    def test_columns_and_empty_values(self):
        result = run("sr-iqa", "correlate", self.write_scores(), self.plain_mos())
        self.assertEqual(result.returncode, 0)
        lines = result.stdout.decode().splitlines()
        self.assertEqual(lines[1].split("\t")[:6], ["measure", "n", "plcc", "srcc", "krcc", "rmse"])
        self.assertEqual(lines[3], "flat\t40" + "\t" * 8)
        self.assertIn(b"all scores are equal", result.stderr)

    def test_published_layouts(self):
        scores = self.write_scores()
        koniq = "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,MOS_zscore\n" + "".join(
            f'"{n}",0,1,2,3,4,105,{m},0.5,{20 * m}\n' for n, m in zip(self.names, self.mos))
        self.check(self.rows(scores, self.write_mos(koniq))[0])
        self.check(self.rows(scores, self.plain_mos())[0])
        table = "".join(f"{m}\t{n.replace('.png', '.bmp')}\tx\n" for n, m in zip(self.names, self.mos))
        self.check(self.rows("--mos-column", "1", "--name-column", "2", scores, self.write_mos(table))[0])
        self.fail_with(2, "--mos-column", "sr-iqa", "correlate", scores, self.write_mos(table))
        live = self.dir / "live/Data"
        live.mkdir(parents=True)
        cells = b"".join(mat_variable(4, (1, len(n)), b"", element(16, n.encode())) for n in ["t1.bmp", *self.names])
        write_mat(live / "AllImages_release.mat", mat_variable(1, (41, 1), b"AllImages_release", cells))
        numbers = element(9, struct.pack("<41d", 50, *self.mos))
        write_mat(live / "AllMOS_release.mat", mat_variable(6, (1, 41), b"AllMOS_release", numbers))
        for place in [live, live.parent, live / "AllMOS_release.mat"]:
            self.check(self.rows(scores, place)[0])
        (live / "AllMOS_release.mat").write_bytes(b"no MATLAB file")
        self.fail_with(2, "AllMOS_release.mat", "sr-iqa", "correlate", scores, live)

    def test_pipal_by_type(self):
        names = [f"A0001_{t:02d}_{i:02d}.bmp" for t in (3, 6) for i in range(20)]
        labels = self.dir / "Train_Label"
        labels.mkdir()
        (labels / "A0001.txt").write_text("".join(f"{n},{m}\n" for n, m in zip(names, self.mos)))
        rows = self.rows("--by", "type", self.write_scores(names), labels)
        self.assertEqual([(r["type"], r["n"]) for r in rows if r["measure"] == "niqe"],
                         [("03 GAN-based SR", 20), ("06 traditional distortions", 20), ("all", 40)])
        self.check(rows[2])
        self.fail_with(2, "is a column of neither file", "sr-iqa", "correlate", "--by", "kind",
                       self.dir / "scores.tsv", labels)

    def test_scores_without_names(self):
        scores, mos = self.write_scores(), self.write_mos("".join(f"{m}\n" for m in self.mos))
        self.check(self.rows(scores, mos)[0])
        names = self.dir / "names.txt"
        names.write_text("\n".join(self.names) + "\n")
        self.check(self.rows("--names", names, scores, mos)[0])
        names.write_text("\n".join(reversed(self.names)) + "\n")
        self.assertGreater(self.rows("--names", names, scores, mos)[0]["plcc"], self.plcc() + 0.3)
        self.write_mos("1\n2\n3\n")
        self.fail_with(2, "list the names by --names", "sr-iqa", "correlate", scores, mos)

    def test_json_lines_from_a_pipe(self):
        lines = [{"niqe": s, "file": n, "niqe_protocol": "x", "crop_border": "0", "psnr": "inf" if n < "img03" else s}
                 for n, s in zip(self.names, self.scores)]
        mean = [{"file": "mean", "niqe": 5, "crop_border": "0", "psnr": None}]
        text = "".join(json.dumps(line) + "\n" for line in [*lines[:20], *mean, *lines[20:], *mean]).encode()
        result = run("sr-iqa", "correlate", "--json", "-", self.plain_mos(), input=text)
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        self.check(rows[0])
        self.assertEqual([(row["measure"], row["n"]) for row in rows], [("niqe", 40), ("psnr", 37)])
        rows = run("sr-iqa", "correlate", "--json", "--by", "crop_border", "-", self.plain_mos(), input=text).stdout
        self.assertEqual(json.loads(rows.splitlines()[0])["crop_border"], "0")
        result = run("sr-iqa", "correlate", "-", self.plain_mos(), input=b'{"name": "a.png", "niqe": 1}\n')
        self.assertEqual((result.returncode, b"standard input:1: the key 'file'" in result.stderr), (2, True))
        nested = b'{"file": "a.png", "niqe": ' + b"[" * 200000 + b"]" * 200000 + b"}\n"
        self.fail_with(2, "standard input:1: 'niqe' is neither a score nor a text", "sr-iqa", "correlate", "-",
                       self.plain_mos(), input=nested)

    def test_names_that_begin_with_a_number_sign(self):
        self.names = [f"#{n}" for n in self.names]
        self.check(self.rows(self.write_scores(folder=""), self.plain_mos())[0])

    def test_tables_one_after_another(self):
        self.names[19] = "mean.png"
        shards = []
        for part in (slice(0, 20), slice(20, 40)):
            shards.append(self.write_scores(self.names[part], self.scores[part], folder="").read_text())
        path, mos = self.dir / "both.tsv", self.plain_mos()
        path.write_text("".join(shards))
        self.check(self.rows(path, mos)[0])
        path.write_text(shards[0] + shards[1].replace("file\tniqe\tflat\n", ""))
        self.check(self.rows(path, mos)[0])
        path.write_text(shards[0] + shards[1].split("\n", 1)[1])
        self.check(self.rows(path, mos)[0])
        path.write_text(shards[0] + shards[1].replace("flat", "musiq"))
        self.fail_with(2, "both.tsv:26: its columns", "sr-iqa", "correlate", path, mos)

    def test_one_standard_input(self):
        scores, mos = self.write_scores(), self.plain_mos()
        self.fail_with(2, "standard input", "sr-iqa", "correlate", "-", "-")
        self.fail_with(2, "standard input", "sr-iqa", "correlate", "--names", "-", scores, "-")
        result = self.succeed("sr-iqa", "correlate", scores, "-", input=mos.read_bytes())
        self.assertEqual(result.stdout.splitlines()[0], b"# opinions: standard input")

    def test_tables_of_spreadsheets(self):
        def european(number):
            return str(number).replace(".", ",")

        scores = self.write_scores()
        rows = [f"{n};{european(m)}\n" for n, m in zip(self.names, self.mos)]
        self.check(self.rows(scores, self.write_mos("".join(rows)))[0])
        self.check(self.rows(scores, self.write_mos("\ufeffimage;MOS\n" + "".join(rows)))[0])
        self.check(self.rows(scores, self.write_mos("image;MOS, mean\r\n" + "".join(rows)))[0])
        names = [n.replace("img", "img;") for n in self.names]
        mos = self.write_mos("image,MOS\n" + "".join(f"{n},{m}\n" for n, m in zip(names, self.mos)))
        self.check(self.rows(self.write_scores(names), mos)[0])
        self.fail_with(2, "mos.csv:2: a quoted field", "sr-iqa", "correlate", scores,
                       self.write_mos('image,MOS,note\na.png,3,"two\nlines"\n'))

    def test_what_does_not_match_is_told(self):
        mos = self.plain_mos()
        names = ["stranger.png", *self.names[1:]]
        result = run("sr-iqa", "correlate", self.write_scores(names), mos)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"pictures/stranger.png", result.stderr)
        self.assertEqual(result.stdout.decode().splitlines()[2].split("\t")[1], "39")
        mos.write_text(mos.read_text() + "other/img01.png,3\n")
        result = run("sr-iqa", "correlate", self.write_scores(), mos)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"several opinions", result.stderr)
        self.fail_with(2, "no picture of", "sr-iqa", "correlate", self.write_scores(["x.png", "y.png"]), mos,
                       lines=2)

    def test_scores_that_are_no_numbers_are_left_out(self):
        scores = ["nan", "inf", "", *self.scores[3:]]
        rows = self.rows(self.write_scores(scores=scores), self.plain_mos(), status=1)
        self.assertEqual((rows[0]["n"], rows[1]["n"]), (37, 40))
        path = self.write_scores(scores=["", *self.scores[1:]])
        path.write_text(path.read_text().replace("\t\t1\n", "\t\t\n"))
        self.assertEqual(self.rows(path, self.plain_mos(), status=1)[0]["n"], 39)
        few = self.rows(self.write_scores(self.names[:4], self.scores[:4]), self.plain_mos())[0]
        self.assertIsNotNone(few["plcc_logistic4"])
        self.assertIsNone(few["plcc_logistic5"])
        self.assertIsNone(self.rows(self.write_scores(self.names[:2], self.scores[:2]), self.plain_mos())[0]["plcc"])

    def test_flat_curves_are_told(self):
        """Two scores, with opinions that don't differ between them."""
        names = self.names[:8]
        scores = self.write_scores(names, [0] * 4 + [1] * 4)
        mos = self.write_mos("".join(f"{n},{1 + i % 2}\n" for i, n in enumerate(names)))
        result = self.succeed("sr-iqa", "correlate", "--json", scores, mos)
        row = json.loads(result.stdout.splitlines()[0])
        for curve, parameters in [("logistic4", 4), ("logistic5", 5)]:
            self.assertIsNone(row[f"plcc_{curve}"])
            self.assertAlmostEqual(row[f"rmse_{curve}"], 0.5, places=6)
            self.assertIn(f"niqe: no correlation, the curve of {parameters} parameters is flat".encode(), result.stderr)

    def test_bad_files_are_usage_errors(self):
        scores, mos = self.write_scores(), self.plain_mos()
        self.fail_with(2, "'niqe' holds scores", "sr-iqa", "correlate", "--by", "niqe", scores, mos)
        self.fail_with(2, "No such file", "sr-iqa", "correlate", scores, self.dir / "none.csv")
        self.fail_with(2, "give a file of scores", "sr-iqa", "correlate", scores)
        self.fail_with(2, "mos.csv:2", "sr-iqa", "correlate", scores, self.write_mos("a.png,1\nb.png,good\n"))
        self.fail_with(2, "mos.csv:2", "sr-iqa", "correlate", scores, self.write_mos("a.png,1\nb.png\n"))
        self.fail_with(2, "no opinions", "sr-iqa", "correlate", scores, self.write_mos(""))
        empty = self.dir / "empty.tsv"
        empty.write_text("# nothing\n")
        self.fail_with(2, "no rows", "sr-iqa", "correlate", empty, mos)


class FitNiqe(Case):
    def fit(self, *arguments):
        return run("sr-iqa", "fit-niqe", "-o", self.dir / "model.safetensors", *arguments)

    def model_header(self):
        data = (self.dir / "model.safetensors").read_bytes()
        return json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])

    def test_model_of_a_folder(self):
        for i in range(2):
            self.crop(f"in/{i}.png", 400 - 8 * i, 300, sample="rocket.jpg")
        result = self.fit("--variant", "pyiqa", "--sharpness", "0.2", self.dir / "in")
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        header = self.model_header()
        self.assertEqual(header["mu_pris_param"]["shape"], [1, 36])
        self.assertEqual(header["cov_pris_param"]["shape"], [36, 36])
        self.assertEqual(header["__metadata__"]["variant"], "pyiqa")
        self.assertEqual(header["__metadata__"]["pictures"], "2")
        self.assertIn(b"singular", result.stderr)
        first = (self.dir / "model.safetensors").read_bytes()
        self.fit("--variant", "pyiqa", "--sharpness", "0.2", "--jobs", "1", "--threads", "1", self.dir / "in")
        self.assertEqual((self.dir / "model.safetensors").read_bytes(), first)

    def test_failures_leave_no_model(self):
        small = self.crop("small.png", 90, 60)
        for arguments, status, text in [([SAMPLES / "chelsea.png", small], 1, b"96x96"),
                                        ([SAMPLES / "chelsea.png", self.dir / "none.png"], 1, b"none.png"),
                                        ([self.crop("one.png", 96, 96)], 1, b"at least two sharp blocks"),
                                        (["--sharpness", "2", small], 2, b"between 0 and 1"), ([], 2, b"no input")]:
            result = self.fit(*arguments)
            self.assertEqual(result.returncode, status, result.stderr)
            self.assertIn(text, result.stderr)
            self.assertEqual(list(self.dir.glob("*model*")), [])
        self.fail_with(2, "-o", "sr-iqa", "fit-niqe", small)
        self.fail_with(2, "a model is no picture", "sr-iqa", "fit-niqe", "-o", small, SAMPLES / "chelsea.png")
        nowhere = ["-o", self.dir / "nowhere/model.safetensors"]
        self.fail_with(2, "nowhere/model.safetensors", "sr-iqa", "fit-niqe", *nowhere, SAMPLES / "chelsea.png")
        self.fail_with(2, "--shard", "sr-iqa", "fit-niqe", "--shard", "1/2", "-o", self.dir / "model", small)

    def test_pictures_are_those_that_are_scored(self):
        """Of 16 bits and with transparency."""
        self.scaled("eight.png", 300, 200)
        vips("linear", self.dir / "eight.png", self.dir / "sixteen.png[bitdepth=16]", "257", "0")
        vips("bandjoin_const", self.dir / "eight.png", self.dir / "alpha.png", "255")
        self.assertEqual(header(self.dir / "sixteen.png", "format"), "ushort")
        models = []
        for name in ["eight", "sixteen", "alpha"]:
            result = self.fit("--sharpness", "0", self.dir / f"{name}.png")
            self.assertEqual(result.returncode, 0, result.stderr)
            models.append((self.dir / "model.safetensors").read_bytes())
        self.assertIn(b"transparency is left out", result.stderr)
        self.assertEqual(models[1:], models[:1] * 2)


if __name__ == "__main__":
    unittest.main()
