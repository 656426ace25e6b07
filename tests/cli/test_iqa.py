"""sr-iqa: scores without reference."""

import json
import unittest

from harness import DATA, SAMPLES, Case, rows_of, shell, vips

NIQE = DATA / "niqe/niqe_pris_params.safetensors"
ILNIQE = DATA / "niqe/ilniqe_template.safetensors"


class Iqa(Case):
    def model(self):
        """A pristine model of our own samples: NIQE without a download."""
        self.succeed("sr-iqa", "fit-niqe", SAMPLES, "--sharpness", "0.1", "-o", self.dir / "model.safetensors")
        return f"niqe={self.dir / 'model.safetensors'}"

    def test_rows_in_order_and_their_mean(self):
        model = self.model()
        for name in ["b.png", "a.png", "c.png"]:
            self.scaled(f"in/{name}", 200, 150)
        vips("gaussblur", self.dir / "in/c.png", self.dir / "in/d.png", "2")
        table = rows_of(self.succeed("sr-iqa", "-m", model, "--stats", self.dir / "in"))
        self.assertEqual(table[0], ["file", "niqe"])
        self.assertEqual([row[0] for row in table[1:]],
                         [*(str(self.dir / f"in/{name}.png") for name in "abcd"), "mean", "std"])
        scores = [float(row[1]) for row in table[1:]]
        self.assertAlmostEqual(sum(scores[:4]) / 4, scores[4])
        self.assertGreater(scores[3], scores[2], "blur is worse")
        alone = rows_of(self.succeed("sr-iqa", "-m", model, "--threads", "1", self.dir / "in/d.png"))
        self.assertEqual(float(alone[1][1]), scores[3])
        piped = shell(f"cat {self.dir}/in/d.png | sr-iqa -m {model} -")
        self.assertEqual(rows_of(piped)[1], ["stdin", alone[1][1]])

    def test_bad_pictures_are_told_and_the_others_scored(self):
        model = self.model()
        self.scaled("in/good.png", 200, 150)
        self.scaled("in/small.png", 60, 60)
        vips("black", self.dir / "in/black.png", 200, 150)
        result = self.fail_with(1, "in/small.png: NIQE", "sr-iqa", "-m", model, self.dir / "in", lines=2)
        self.assertIn(b"in/black.png: NIQE", result.stderr)
        self.assertEqual([row[0] for row in rows_of(result)], ["file", str(self.dir / "in/good.png"), "mean"])

    def test_crop_border_and_json(self):
        model = self.model()
        self.scaled("whole.png", 220, 170)
        vips("crop", self.dir / "whole.png", self.dir / "inner.png", 10, 10, 200, 150)
        whole = json.loads(self.succeed("sr-iqa", "--json", "--crop-border", "10", "-m", model,
                                        self.dir / "whole.png").stdout.splitlines()[0])
        inner = json.loads(self.succeed("sr-iqa", "--json", "-m", model, self.dir / "inner.png").stdout.splitlines()[0])
        self.assertEqual(whole["niqe"], inner["niqe"])
        self.assertIn("NIQE", whole["niqe_protocol"])
        self.assertEqual(whole["crop_border"], "10")

    def test_wrong_usage(self):
        picture = self.scaled("a.png", 200, 150)
        empty = ["--weights", self.dir, "-m"]
        self.fail_with(2, "is no measure", "sr-iqa", "-m", "beauty", picture)
        self.fail_with(2, "comes twice", "sr-iqa", "-m", "niqe,niqe", picture)
        self.fail_with(2, "fetch-weights musiq-koniq", "sr-iqa", *empty, "musiq", picture)
        self.fail_with(2, "sfd-iqa=CHECKPOINT", "sr-iqa", *empty, "sfd-iqa", picture)
        self.fail_with(2, "clipiqa", "sr-iqa", *empty, f"clipiqa={picture}", picture)
        self.fail_with(2, "-m niqe: the NIQE model lacks", "sr-iqa", "-m", f"niqe={SAMPLES.parent / 'models/compact-x4.safetensors'}", picture)

    @unittest.skipUnless(NIQE.exists(), "needs ../shared/data")
    def test_recorded_scores(self):
        """A few values of golden/metrics/{niqe,ilniqe}.tsv, through the program."""
        def recorded(table, column):
            lines = [line.split("\t") for line in (DATA.parent / "golden/metrics" / table).read_text().splitlines()]
            row = next(line for line in lines if line[0] == "data/Set5/HR/baby.png")
            return float(row[lines[0].index(column)])

        measures = f"niqe={NIQE},niqe-gray={NIQE},niqe-pyiqa={NIQE},ilniqe={ILNIQE}"
        scores = rows_of(self.succeed("sr-iqa", "-m", measures, DATA / "Set5/HR/baby.png"))[1][1:]
        for score, column in zip(scores, ["basicsr_y", "basicsr_gray", "pyiqa_yiq"]):
            self.assertAlmostEqual(float(score), recorded("niqe.tsv", column), delta=1e-3)
        self.assertAlmostEqual(float(scores[3]), recorded("ilniqe.tsv", "pyiqa_ilniqe"), delta=1e-3 * 28)
        by_protocol = self.succeed("sr-iqa", "--protocol", "seesr", "-m", f"niqe={NIQE}", DATA / "Set5/HR/baby.png")
        self.assertEqual(rows_of(by_protocol)[1][1], scores[2])


if __name__ == "__main__":
    unittest.main()
