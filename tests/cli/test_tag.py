"""sr-tag: tags, embeddings, and how well tags agree with labels. The networks are toys."""

import json
import os
import pathlib
import unittest

from harness import SAMPLES, Case, rows_of, run, shell, vips
from weights import NAN, RAM_TAGS, dape, fill, ram, tensors_of, write_ram, write_toy

EXACT = ["--precision", "fp32"]


class TagCase(Case):
    def setUp(self):
        super().setUp()
        self.weights = self.dir / "weights"
        write_ram(self.weights)
        for name, sample in [("a.png", "chelsea.png"), ("b.png", "coffee.png"), ("c.png", "rocket.jpg")]:
            self.crop(f"in/{name}", 90, 70, sample=sample)
        self.names = [str(self.dir / f"in/{name}.png") for name in "abc"]

    def tag(self, *arguments, **options):
        return self.succeed("sr-tag", "--weights", self.weights, *EXACT, *arguments, **options)

    def probabilities(self, *arguments):
        """{file: {tag: probability}} of all tags."""
        found = {}
        for name, tag, probability, _ in rows_of(self.tag("--scores", "--top", "100", *arguments))[1:]:
            found.setdefault(name, {})[tag] = float(probability)
        return found

    def set_thresholds(self, limits):
        (self.weights / "ram_tag_list_threshold.txt").write_text("".join(f"{limit}\n" for limit in limits))


class Tag(TagCase):
    def test_rows_in_order_whatever_the_batch(self):
        table = rows_of(self.tag(self.dir / "in"))
        self.assertEqual(table[0], ["file", "tags"])
        self.assertEqual([row[0] for row in table[1:]], self.names)
        for tags in (row[1].split(", ") for row in table[1:] if row[1]):
            self.assertEqual(tags, [tag for tag in RAM_TAGS if tag in tags], "in the list's order")
        whole = self.probabilities(self.dir / "in")
        for options in [["--batch", "1"], ["--batch", "2", "--jobs", "1"], ["--batch", "3", "--threads", "1"]]:
            other = self.probabilities(*options, self.dir / "in")
            self.assertEqual(list(other), self.names)
            for name in self.names:
                for tag in RAM_TAGS:
                    self.assertAlmostEqual(other[name][tag], whole[name][tag], places=5)
        coarse = rows_of(self.succeed("sr-tag", "--weights", self.weights, "--precision", "bf16", "--scores", "--top",
                                      "7", self.dir / "in"))[1:]
        for name, tag, probability, _ in coarse:
            self.assertAlmostEqual(float(probability), whole[name][tag], delta=0.05)

    def test_inputs_as_everywhere(self):
        alone = rows_of(self.tag(self.names[0]))[1][1]
        piped = self.tag("-", input=pathlib.Path(self.names[0]).read_bytes())
        self.assertEqual(rows_of(piped)[1], ["stdin", alone])
        self.crop("in/below/d.png", 40, 40)
        self.assertEqual(len(rows_of(self.tag("--no-header", self.dir / "in"))), 3)
        self.assertEqual(len(rows_of(self.tag("--no-header", "-r", self.dir / "in"))), 4)
        listed = self.tag("--files-from", "-", input="\n".join(self.names).encode())
        self.assertEqual([row[0] for row in rows_of(listed)[1:]], self.names)
        shard = rows_of(self.tag("--shard", "2/2", self.dir / "in"))
        self.assertEqual([row[0] for row in shard[1:]], [self.names[1]])
        environment = {**os.environ, "SR_WEIGHTS": str(self.weights)}
        self.assertEqual(rows_of(self.succeed("sr-tag", *EXACT, self.names[0], env=environment))[1][1], alone)

    def test_thresholds_are_each_tags_own(self):
        seen = self.probabilities(self.names[0])[self.names[0]]
        ranked = sorted(seen, key=seen.get, reverse=True)
        self.set_thresholds([seen[tag] - 1e-4 if tag in ranked[2:4] else seen[tag] + 1e-4 for tag in RAM_TAGS])
        expected = ", ".join(tag for tag in RAM_TAGS if tag in ranked[2:4])
        self.assertEqual(rows_of(self.tag(self.names[0]))[1][1], expected)
        self.set_thresholds([seen[tag] for tag in RAM_TAGS])
        self.assertEqual(rows_of(self.tag(self.names[0]))[1], [self.names[0], ""], "as probable is not enough")
        limit = (seen[ranked[2]] + seen[ranked[3]]) / 2
        expected = ", ".join(tag for tag in RAM_TAGS if tag in ranked[:3])
        self.assertEqual(rows_of(self.tag("--threshold", limit, self.names[0]))[1][1], expected)
        self.assertEqual(rows_of(self.tag("--top", "2", self.names[0]))[1][1], ", ".join(ranked[:2]))
        both = self.tag("--top", "5", "--threshold", limit, self.names[0])
        self.assertEqual(rows_of(both)[1][1], ", ".join(ranked[:3]))

    def test_scores_and_json(self):
        self.set_thresholds([0.25, *[0.999] * 6])
        table = rows_of(self.tag("--scores", self.names[0]))
        self.assertEqual(table[0], ["file", "tag", "probability", "threshold"])
        self.assertEqual([[*row[:2], row[3]] for row in table[1:]], [[self.names[0], "bird", "0.25"]])
        row = json.loads(self.tag("--scores", "--json", self.names[0]).stdout)
        self.assertEqual(row, {"file": self.names[0], "tag": "bird", "probability": float(table[1][2]),
                               "threshold": 0.25, "model": "dape"})
        row = json.loads(self.tag("--json", self.names[0]).stdout)
        self.assertEqual(row, {"file": self.names[0], "tags": ["bird"], "model": "dape"})
        nothing = ["--threshold", "1", self.names[0]]
        self.assertEqual(json.loads(self.tag("--json", *nothing).stdout)["tags"], [])
        self.assertIsNone(json.loads(self.tag("--json", "--scores", *nothing).stdout)["tag"])
        self.assertEqual(self.tag("--scores", "--no-header", *nothing).stdout.decode(), f"{self.names[0]}\t\t\t\n")

    def test_chinese_list(self):
        self.fail_with(2, "ram_tag_list_chinese.txt", "sr-tag", "--weights", self.weights, "--language", "zh",
                       self.names[0])
        (self.weights / "ram_tag_list_chinese.txt").write_text("鸟\n猫\n咖啡杯\n狗\n桌子\n树\n水\n", encoding="utf-8")
        english, chinese = (rows_of(self.tag("--language", language, "--top", "3", self.names[0]))[1][1].split(", ")
                            for language in ["en", "zh"])
        self.assertEqual([RAM_TAGS.index(tag) for tag in english], ["鸟猫咖狗桌树水".index(tag[0]) for tag in chinese])
        self.fail_with(2, "'fr' is none of en|zh", "sr-tag", "--language", "fr", self.names[0])

    def test_dape_is_laid_over_ram(self):
        plain, overlaid = self.probabilities("-m", "ram", self.dir / "in"), self.probabilities(self.dir / "in")
        self.assertGreater(max(abs(plain[n][t] - overlaid[n][t]) for n in self.names for t in RAM_TAGS), 0.01)
        file = self.dir / "mine.safetensors"
        write_toy(file, dape())
        self.assertEqual(self.probabilities("-m", file, self.dir / "in"), overlaid)
        write_toy(file, ram())
        self.assertEqual(self.probabilities("-m", file, self.dir / "in"), plain)
        self.assertEqual(self.probabilities("-m", "DAPE", self.dir / "in"), overlaid, "a file of the catalogue")

    def test_embeddings(self):
        self.crop("in/below/d.png", 40, 50)
        table = rows_of(self.tag("-r", "--batch", "3", "--embeds", self.dir / "embeds", self.dir / "in"))
        self.assertEqual(sorted(str(path.relative_to(self.dir / "embeds"))
                                for path in (self.dir / "embeds").rglob("*.*")),
                         ["a.safetensors", "b.safetensors", "below/d.safetensors", "c.safetensors"])
        for name, row in zip(["a", "b", "below/d", "c"], table[1:]):
            tensors, facts = tensors_of(self.dir / f"embeds/{name}.safetensors")
            self.assertEqual(list(tensors), ["image_embeds"])
            shape, values = tensors["image_embeds"]
            self.assertEqual(shape, [1, 17, 12])
            self.assertEqual(facts, {"file": row[0], "model": "dape", "tags": row[1]})
            single = self.dir / "one.safetensors"
            self.tag("--batch", "1", "--embeds", single, self.dir / f"in/{name}.png")
            alone = tensors_of(single)[0]["image_embeds"][1]
            self.assertGreater(max(map(abs, alone)), 0.1)
            self.assertLess(max(abs(a - b) for a, b in zip(values, alone)), 1e-4)
        self.tag("-m", "ram", "--embeds", self.dir / "one.safetensors", self.dir / "in/c.png")
        tensors, facts = tensors_of(self.dir / "one.safetensors")
        self.assertGreater(max(abs(a - b) for a, b in zip(tensors["image_embeds"][1], values)), 1e-3)
        self.assertEqual(facts["model"], "ram")

    def test_embeddings_have_a_place_each(self):
        command = ["sr-tag", "--weights", self.weights, "--embeds"]
        one = self.dir / "one.safetensors"
        self.fail_with(2, "several pictures need a folder", *command, one, *self.names)
        self.fail_with(2, "several pictures need a folder", *command, one, self.dir / "in")
        vips("copy", self.names[0], self.dir / "in/a.jpg")
        self.fail_with(2, "would both be written to", *command, self.dir / "out", self.dir / "in")
        self.fail_with(2, f"{self.names[1]}: Not a folder", *command, self.names[1], self.names[0])
        self.assertFalse(one.exists())
        taken = self.dir / "taken"
        (taken / "a.safetensors").mkdir(parents=True)
        (taken / "a.safetensors/x").write_text("")
        result = self.fail_with(1, "a.safetensors", *command, taken, *self.names)
        self.assertEqual([row[0] for row in rows_of(result)[1:]], self.names[1:], "the others are done")

    def test_bad_pictures_are_told_and_the_others_tagged(self):
        (self.dir / "in/bad.png").write_bytes(b"no picture at all")
        (self.dir / "in/short.png").write_bytes(pathlib.Path(self.names[0]).read_bytes()[:900])
        expected = rows_of(self.tag(*self.names))
        for batch in ["1", "2", "5"]:
            result = self.fail_with(1, "in/bad.png: ", "sr-tag", "--weights", self.weights, *EXACT, "--batch", batch,
                                    "--embeds", self.dir / f"embeds{batch}", self.dir / "in", self.dir / "none.png", lines=3)
            self.assertIn(b"in/short.png: ", result.stderr)
            self.assertIn(b"none.png: No such file", result.stderr)
            self.assertEqual(rows_of(result), expected)
            self.assertEqual(len(list((self.dir / f"embeds{batch}").iterdir())), 3)

    def test_grey_transparent_and_sixteen_bits(self):
        vips("colourspace", self.names[0], self.dir / "grey.png", "b-w")
        vips("bandjoin_const", self.names[0], self.dir / "alpha.png", "255")
        vips("linear", self.names[0], self.dir / "sixteen.png[bitdepth=16]", "257", "0")
        found = self.probabilities(self.names[0], *(self.dir / f"{name}.png" for name in ["grey", "alpha", "sixteen"]))
        plain, grey, alpha, sixteen = found.values()
        self.assertEqual(alpha, plain)
        self.assertNotEqual(grey, plain)
        for tag in RAM_TAGS:
            self.assertAlmostEqual(sixteen[tag], plain[tag], places=5)

    def test_wrong_usage_and_weights(self):
        picture = self.names[0]
        command = ["sr-tag", "--weights", self.weights]
        empty = self.dir / "empty"
        empty.mkdir()
        self.fail_with(2, "no input", *command)
        self.fail_with(2, "no picture found", *command, empty)
        self.fail_with(2, "not between 0 and 1", *command, "--threshold", "2", picture)
        self.fail_with(2, "--top", *command, "--top", "0", picture)
        self.fail_with(2, "--batch", *command, "--batch", "0", picture)
        self.fail_with(2, "--shard", *command, "--shard", "3/2", picture)
        self.fail_with(2, "fetch-weights dape", "sr-tag", "--weights", empty, picture)
        self.fail_with(2, "those of an upscaler (SRVGGNetCompact)", *command, "-m",
                       SAMPLES.parent / "models/compact-x4.safetensors", picture)
        self.fail_with(2, "a.png", *command, "-m", picture, picture)
        lora = dape()
        lora["visual_encoder.layers.0.blocks.0.attn.qkv.lora_A"] = [4, 3]
        write_toy(self.dir / "bad.safetensors", lora)
        self.fail_with(2, "LoRA does not fit the network", *command, "-m", self.dir / "bad.safetensors", picture)
        shapes = ram()
        del shapes["fc.bias"]
        write_toy(self.dir / "bad.safetensors", shapes)
        self.fail_with(2, "fc.bias is missing", *command, "-m", self.dir / "bad.safetensors", picture)
        self.set_thresholds([0.5] * 6)
        self.fail_with(2, "7 tags and", *command, picture)
        self.set_thresholds([0.5] * 6 + ["high"])
        self.fail_with(2, "line 7 is no number from 0 to 1: high", *command, picture)
        (self.weights / "ram_tag_list.txt").write_text("a\nb\n")
        self.set_thresholds([0.5, 0.5])
        self.fail_with(2, "the tag list has 2 tags, the network knows 7", *command, picture)

    def test_values_that_are_not_finite_are_an_error(self):
        write_toy(self.dir / "inf.safetensors", ram())
        fill(self.dir / "inf.safetensors", "fc.bias", NAN)
        result = self.fail_with(1, "in/a.png: the network's result is not finite", "sr-tag", "--weights", self.weights,
                                "-m", self.dir / "inf.safetensors", self.names[0])
        self.assertEqual(rows_of(result), [["file", "tags"]])

    def test_a_closed_pipe_ends_quietly(self):
        result = shell(f"sr-tag --weights {self.weights} {self.dir}/in | true")
        self.assertEqual(result.stderr, b"")
        with open("/dev/full", "wb") as device:
            full = run("sr-tag", "--weights", self.weights, self.names[0], stdout=device)
        self.assertEqual(full.returncode, 1)
        self.assertIn(b"No space left", full.stderr)


# What three pictures show, what is said of them, and how sure: worked out by hand below.
TRUTH = "x/a.png\tcat, dog\nx/b.png\tcat\nx/c.png\tdog, tree\n"
SCORES = """# model: ram
file\ttag\tprobability\tthreshold
a.png\tcat\t0.9\t0.5
a.png\tdog\t0.3\t0.5
a.png\ttree\t0.6\t0.5
a.png\tboat\t0.99\t0.5
b.png\tcat\t0.4\t0.5
b.png\tdog\t0.7\t0.5
b.png\ttree\t0.2\t0.5
c.png\tcat\t0.8\t0.5
c.png\tdog\t0.6\t0.5
c.png\ttree\t0.1\t0.5
"""
# cat: labelled a, b; predicted a, c; ranked a+ c- b+ : precisions 1, 1/2, 2/3  -> (1 + 2/3) / 2
# dog: labelled a, c; predicted b, c; ranked b- c+ a+ : precisions 0, 1/2, 2/3  -> 2/3
# tree: labelled c; predicted a; ranked a- b- c+ : 1/3
EXPECTED = {"cat": (2, 2, 1, 1 / 2, 1 / 2, 5 / 6), "dog": (2, 2, 1, 1 / 2, 1 / 2, 7 / 12),
            "tree": (1, 1, 0, 0, 0, 1 / 3), "all": (5, 5, 2, 2 / 5, 2 / 5, (5 / 6 + 7 / 12 + 1 / 3) / 3)}


class Eval(TagCase):
    def write(self, name, text):
        path = self.dir / name
        path.write_text(text, encoding="utf-8")
        return path

    def rows(self, *arguments, status=0, **options):
        result = run("sr-tag", "eval", "--json", *arguments, **options)
        self.assertEqual(result.returncode, status, result.stderr.decode())
        return {row["class"]: row for row in map(json.loads, result.stdout.splitlines())}

    def check(self, rows, expected, pictures=3):
        self.assertEqual(list(rows), list(expected))
        for name, numbers in expected.items():
            self.assertEqual(rows[name]["pictures"], pictures)
            for key, number in zip(["labelled", "predicted", "correct", "op", "or", "ap"], numbers):
                if number is None:
                    self.assertIsNone(rows[name][key], (name, key))
                else:
                    self.assertAlmostEqual(rows[name][key], number, places=12, msg=f"{name}, {key}")

    def files(self):
        return ["--truth", self.write("truth.tsv", TRUTH), "--predictions", self.write("p.tsv", SCORES)]

    def test_numbers_worked_out_by_hand(self):
        self.check(self.rows("--by-class", *self.files()), EXPECTED)
        self.check(self.rows(*self.files()), {"all": EXPECTED["all"]})
        # above 0.65: cat at a, c; dog at b; tree nowhere
        expected = {"cat": EXPECTED["cat"], "dog": (2, 1, 0, 0, 0, 7 / 12), "tree": (1, 0, 0, None, 0, 1 / 3),
                    "all": (5, 3, 1, 1 / 3, 1 / 5, EXPECTED["all"][5])}
        self.check(self.rows("--by-class", "--threshold", "0.65", *self.files()), expected)

    def test_tags_alone_have_no_ap(self):
        expected = {name: (*numbers[:5], None) for name, numbers in EXPECTED.items()}
        self.files()
        for text in ["a.png\tcat, tree,boat\nb.png\tdog\nc.png\tcat,dog,\n",
                     "# model: ram\nfile\ttags\na.png\tcat, tree\nb.png\tdog\n# model: ram\nfile\ttags\nc.png\tcat, dog\n",
                     "".join(json.dumps({"file": f, "tags": t}) + "\n" for f, t in
                             [("a.png", ["cat", "tree"]), ("b.png", ["dog"]), ("c.png", ["cat", "dog"])])]:
            arguments = ["--by-class", "--truth", self.dir / "truth.tsv", "--predictions", "-"]
            result = run("sr-tag", "eval", "--json", *arguments, input=text.encode())
            self.assertIn(b"no AP", result.stderr)
            self.check({row["class"]: row for row in map(json.loads, result.stdout.splitlines())}, expected)
        self.fail_with(2, "has no probabilities", "sr-tag", "eval", "--threshold", "0.5", *arguments,
                       input=b"a.png\tcat\n")

    def test_json_lines_and_rows_without_a_header(self):
        truth, lines = self.files()[:2], []
        for line in SCORES.splitlines()[2:]:
            name, tag, probability, threshold = line.split("\t")
            lines.append(json.dumps({"file": name, "tag": tag, "probability": float(probability),
                                     "threshold": float(threshold)}))
        path = self.write("p.ndjson", "\n".join(lines) + "\n")
        self.check(self.rows("--by-class", *truth, "--predictions", path), EXPECTED)
        path = self.write("p.tsv", "".join(f"{line}\n" for line in SCORES.splitlines()[2:]))
        self.check(self.rows("--by-class", *truth, "--predictions", path), EXPECTED)
        empty = '{"file": "a.png", "tag": null, "probability": null, "threshold": null}\n'
        path = self.write("p.ndjson", empty)
        self.check(self.rows(*truth, "--predictions", path), {"all": (2, 0, 0, None, 0, 0)}, pictures=1)

    def coco(self, **changes):
        """The same truth; crowds, outlines and second instances make no difference."""
        ids = {"cat": 17, "dog": 18, "tree": 90}
        shown = [(7, "cat"), (7, "dog"), (7, "dog"), (3, "cat"), (11, "dog"), (11, "tree")]
        annotations = [{"id": i, "image_id": image, "category_id": ids[name], "iscrowd": i % 2,
                        "segmentation": [[1.5, 2, 3, 4]] if i % 2 == 0 else {"counts": [1, 2], "size": [2, 2]},
                        "bbox": [1, 2, 3, 4]} for i, (image, name) in enumerate(shown)]
        images = [{"id": i, "file_name": name, "width": 4, "height": 4} for i, name in
                  [(11, "c.png"), (7, "a.png"), (3, "b.png"), (4, "other.png")]]
        content = {"info": {"year": 2017}, "licenses": [], "images": images, "annotations": annotations,
                   "categories": [{"supercategory": "x", "id": i, "name": name} for name, i in ids.items()], **changes}
        return self.write("instances.json", json.dumps(content))

    def test_coco_annotations(self):
        predictions = self.files()[2:]
        self.check(self.rows("--by-class", "--truth", self.coco(), *predictions), EXPECTED)
        bad = [({"annotations": [{"image_id": 7, "category_id": 5}]}, "is not listed"),
               ({"annotations": [{"image_id": 8, "category_id": 17}]}, "is not listed"),
               ({"annotations": [{"image_id": "x"}]}, "these are not COCO's annotations"),
               ({"annotations": [{"image_id": 1e300}]}, "these are not COCO's annotations"),
               ({"categories": 5}, "these are not COCO's annotations")]
        for changes, text in bad:
            self.fail_with(2, text, "sr-tag", "eval", "--truth", self.coco(**changes), *predictions)

    def test_synonyms(self):
        files = self.files()
        self.write("truth.tsv", TRUTH.replace("cat", "felis catus"))
        self.assertEqual(self.rows("--by-class", *files)["felis catus"]["predicted"], 0)
        words = self.write("words.tsv", "# class, tag\nfelis catus\tcat\nfelis catus\tboat\n")
        rows = self.rows("--by-class", "--synonyms", words, *files)
        # boat is at a, as cat is, and surer
        self.check({"cat": rows["felis catus"]}, {"cat": EXPECTED["cat"]})
        self.fail_with(2, "words.tsv:1: not a class, a tab and a tag", "sr-tag", "eval", "--synonyms",
                       self.write("words.tsv", "cat\n"), *files)
        shipped = SAMPLES.parent / "synonyms/coco.tsv"
        self.succeed("sr-tag", "eval", "--synonyms", shipped, *files)

    def test_pictures_and_printed_rows_agree(self):
        seen = self.probabilities(self.dir / "in")
        limits = [sorted(seen[name][tag] for name in self.names)[1] - 1e-5 for tag in RAM_TAGS]
        self.set_thresholds(limits)
        truth = ["--by-class", "--truth", self.write("truth.tsv", "a\tcat, dog, yeti\nb\tcat\nc\tdog, tree\nd\tcat\n")]
        network = ["--weights", self.weights, *EXACT]
        result = run("sr-tag", "eval", "--json", *network, *truth, "--batch", "2", self.dir / "in")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"classes that the network has no tag for; see --synonyms (1): yeti", result.stderr)
        printed = self.write("p.tsv", self.tag("--scores", "--top", "100", self.dir / "in").stdout.decode())
        self.assertEqual(self.rows(*truth, "--predictions", printed),
                         {row["class"]: row for row in map(json.loads, result.stdout.splitlines())})
        rows = self.rows(*truth, "--predictions", printed)
        self.assertEqual((rows["cat"]["predicted"], rows["all"]["pictures"]), (2, 3))
        own = self.rows("--truth", self.write("own.tsv", self.tag(self.dir / "in").stdout.decode()), *network,
                        self.dir / "in")
        self.assertEqual((own["all"]["op"], own["all"]["or"], own["all"]["ap"]), (1, 1, 1))

    def test_pictures_that_fail_or_have_no_labels(self):
        network = ["--weights", self.weights, *EXACT]
        truth = ["--truth", self.write("truth.tsv", "a.png\tcat\nbad.png\tcat\nc.png\ttree\n")]
        (self.dir / "in/bad.png").write_bytes(b"no picture")
        result = run("sr-tag", "eval", "--json", *network, *truth, self.dir / "in")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"pictures without labels (1): ", result.stderr)
        self.assertIn(b"in/bad.png: ", result.stderr)
        self.assertEqual(json.loads(result.stdout.splitlines()[-1])["pictures"], 2)
        rows = self.rows(*self.files()[:2], "--predictions", self.write("p.tsv", "a.png\tcat\nz.png\tcat\n"), status=1)
        self.assertEqual(rows["all"]["pictures"], 1)

    def test_tables(self):
        result = self.succeed("sr-tag", "eval", "--format", "md", "--by-class", *self.files())
        self.assertIn("| cat | 3 | 2 | 2 | 1 | 0.5000 | 0.5000 | 0.8333 |", result.stdout.decode())
        result = self.succeed("sr-tag", "eval", "--no-header", *self.files())
        self.assertEqual(rows_of(result)[0][:5], ["all", "3", "5", "5", "2"])

    def test_wrong_usage(self):
        files = self.files()
        self.fail_with(2, "--truth", "sr-tag", "eval", *files[2:])
        self.fail_with(2, "give pictures, or --predictions", "sr-tag", "eval", *files[:2])
        self.fail_with(2, "not both", "sr-tag", "eval", *files, self.names[0])
        self.fail_with(2, "standard input", "sr-tag", "eval", "--truth", "-", "--predictions", "-")
        self.fail_with(2, "No such file", "sr-tag", "eval", *files[:3], self.dir / "none.tsv")
        self.fail_with(2, "no picture has labels", "sr-tag", "eval", *files[:3], self.write("p.tsv", "z.png\tcat\n"), lines=2)
        self.fail_with(2, "p.tsv:1: 'high' is no number", "sr-tag", "eval", *files[:3],
                       self.write("p.tsv", "a.png\tcat\thigh\n"))
        self.fail_with(2, "p.tsv:1: 5 fields", "sr-tag", "eval", *files[:3], self.write("p.tsv", "a\tb\t1\t1\t1\n"))
        self.fail_with(2, "p.tsv:2: no JSON object", "sr-tag", "eval", *files[:3],
                       self.write("p.tsv", '{"file": "a.png", "tags": []}\n{"tags": 5}\n'))
        self.fail_with(2, "there are no pictures", "sr-tag", "eval", *files[:3], self.write("p.tsv", "# model: x\n"))


if __name__ == "__main__":
    unittest.main()
