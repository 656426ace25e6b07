"""sr-diffuse: tags and embeddings, from sr-tag's files or from the tagger inside, and prompts."""

import json
import pathlib
import shutil
import unittest

from diffuse_case import BASE, DiffuseCase, at_once, command, digests, plain
from harness import SAMPLES, rows_of, shell, tree, vips
from weights import NAN, dape, fill, write_toy


class Semantics(DiffuseCase):
    def tags(self, text):
        path = self.dir / "tags.tsv"
        path.write_text(text, encoding="utf-8")
        return ["--tags", path]

    def more_pictures(self):
        """Beside a, b and c: one in a folder under a name that is there already, and other kinds of pictures."""
        folder = self.dir / "in"
        (folder / "sub").mkdir()
        shutil.copy(folder / "b.png", folder / "sub/a.png")
        vips("extract_band", folder / "b.png", folder / "grey.png", 1)
        vips("linear", folder / "b.png", folder / "deep.png[bitdepth=16]", 200, 77)
        vips("bandjoin_const", folder / "b.png", folder / "alpha.png", 99)
        vips("crop", SAMPLES / "coffee.png", folder / "wide.webp", 100, 50, 40, 17)

    def test_what_sr_tag_writes_is_what_the_tagger_says(self):
        self.more_pictures()
        own = f"-r --threads 1 --weights {self.weights}"
        diffuse = f"sr-diffuse {own} --steps 2 --process-size 64"
        lines = []
        for tagger, outside, inside in [("dape", "", ""), ("ram", "-m ram", "--tagger ram")]:
            lines += [f"sr-tag {own} {outside} --embeds {tagger} in | "
                      f"{diffuse} --tags - --embeds {tagger} in -o piped-{tagger}",
                      f"{diffuse} {inside} in -o {tagger}-inside"]
        results = at_once({line: lambda line=line: shell(line, cwd=self.dir) for line in lines})
        for line, result in results.items():
            self.assertEqual(result.returncode, 0, (line, result.stderr.decode()))
        found = {tagger: digests(self.dir / f"piped-{tagger}") for tagger in ["dape", "ram"]}
        for tagger in found:
            self.assertEqual(digests(self.dir / f"{tagger}-inside"), found[tagger])
        self.assertEqual(len(found["dape"]), 8)
        self.assertFalse(set(found["dape"].values()) & set(found["ram"].values()))

    def test_half_from_files(self):
        embeds = self.dir / "embeds"
        tagged = self.succeed("sr-tag", "-m", "dape", "--weights", self.weights, "--embeds", embeds, self.dir / "in")
        rows = {pathlib.Path(row[0]).name: row[1] for row in rows_of(tagged)[1:]}
        self.assertEqual(rows, {"a.png": "bird, cat", "b.png": "bird, cat, dog", "c.png": "cat"})
        tags = self.tags(tagged.stdout.decode())
        (self.dir / "own").write_text("a\tbird, cat,\n")
        (self.dir / "turned").write_text("a.png\tcat, bird\n")
        results = self.each({"tags": tags, "embeds": ["--embeds", embeds],
                             "file": ["--embeds", embeds / "a.safetensors"],
                             "by hand": ["--tags", self.dir / "own"], "turned": ["--tags", self.dir / "turned"],
                             "other's embeddings": ["--embeds", embeds / "b.safetensors"]})
        same = {name for name in results if results[name] == plain()["a.png"]}
        self.assertEqual(same, {"tags", "embeds", "file", "by hand"})
        for name in ["seesr", BASE]:  # no RAM, no DAPE
            shutil.copytree(self.weights / name, self.dir / "few" / name)
        (self.dir / "a.ndjson").write_text(json.dumps({"file": "a.png", "tags": ["bird", "cat"]}) + "\n")
        both = ["--embeds", embeds, "--weights", self.dir / "few"]
        results = self.each({"tsv": [*tags, *both], "json": ["--tags", self.dir / "a.ndjson", *both]})
        self.assertEqual(set(results.values()), {plain()["a.png"]})

    def test_ablations(self):
        results = self.each({"no tags": ["--no-hard"], "no embeddings": ["--no-soft"], "nothing": ["--tagger", "none"],
                             "ram": ["--tagger", "ram"], "neither": ["--no-hard", "--no-soft"],
                             "dape": ["--dape", self.weights / "DAPE.safetensors"]})
        self.assertEqual(results.pop("neither"), results["nothing"])
        self.assertEqual(results["dape"], plain()["a.png"])
        self.assert_all_differ(results)
        few = self.copied_models()
        for name in ["ram_swin_large_14m.safetensors", "DAPE.safetensors"]:
            (few / name).unlink()
        self.assertEqual(self.each({0: ["--tagger", "none", "--weights", few]})[0], results["nothing"])

    def test_another_dape(self):
        write_toy(self.dir / "mine.safetensors", dape(memory=512), seed=77)
        results = self.each({"mine": ["--dape", self.dir / "mine.safetensors"], "ram": ["--tagger", "ram"],
                             "as ram": ["--dape", self.weights / "ram_swin_large_14m.safetensors"]})
        self.assertEqual(results.pop("as ram"), results["ram"])
        self.assert_all_differ({**results, "dape": plain()["a.png"]})

    def prompt(self, *arguments):
        result = self.diffuse("-v", *arguments, self.picture, "-o", self.dir / "x.png")
        return result.stderr.decode().split('a.png: prompt "')[1].split('"\n')[0]

    def test_prompts(self):
        self.assertEqual(self.prompt(), "bird, cat, ,clean, high-resolution, 8k")
        self.assertEqual(self.prompt("--no-hard", "--prompt", "a cat!"), ", a cat!,clean, high-resolution, 8k")
        self.assertEqual(self.prompt("--added-prompt", "sharp", *self.tags("a.png\tdog, tree\n")), "dog, tree, ,sharp")
        long = {"prompt": ["--prompt", "tree " * 80], "longer": ["--prompt", "tree " * 90],
                "negative": ["--negative-prompt", "clean"], "added": ["--added-prompt", "clean"], "none": []}
        results = self.each(long)
        self.assertEqual(results.pop("longer"), results["prompt"], "77 tokens are all")
        self.assert_all_differ(results)
        alone = self.each({"one": ["--guidance", "1"], "negative": ["--guidance", "1", "--negative-prompt", "clean"]})
        self.assertEqual(alone["one"], alone["negative"], "it is not asked")
        self.assertNotEqual(alone["one"], results["none"])

    def test_wrong_usage(self):
        bad = self.dir / "bad.tsv"
        bad.write_text("a.png\tcat\thigh\n")
        self.refuse(2, {"--tags": ["--no-hard", *self.tags("a\tb\n"), self.picture],
                        "--embeds": ["--no-soft", "--embeds", self.dir, self.picture],
                        "--dape": ["--tagger", "none", "--dape", "x", self.picture],
                        "none of dape|ram|none": ["--tagger", "clip", self.picture],
                        "/no-dape": ["--dape", "/no-dape", self.picture],
                        "/none.tsv: No such file": ["--tags", "/none.tsv", self.picture],
                        "bad.tsv:1: 'high' is no number": ["--tags", bad, self.picture]})
        message, = self.refuse(2, {"standard input": ["--tags", "-", "-"]}, input=self.picture.read_bytes()).values()
        self.assertLess(len(message), 200)

    def test_a_file_of_embeddings_is_one_pictures(self):
        embeds = self.dir / "x.safetensors"
        write_toy(embeds, {"image_embeds": [1, 17, 512]})
        self.diffuse("--embeds", embeds, self.picture, "-o", self.dir / "x.png")
        self.fail_with(2, "several pictures need a folder",
                       *command("--embeds", embeds, self.dir / "in", "-o", f"{self.dir}/out/"))

    def test_pictures_that_nothing_is_known_of(self):
        tags, out = self.tags("b.png\tcat\nc.png\tcat\n"), self.dir / "out"
        self.fail_with(1, "in/a.png: ", *command(*tags, self.dir / "in", "-o", out))
        self.assertEqual(list(tree(out)), ["b.png", "c.png"])
        (self.dir / "two").write_text("x/a.png\tcat\ny/a.png\tdog\n")
        embeds = self.dir / "embeds"
        cases = {"tells no tags of it": [*tags, self.picture],
                 "several rows": ["--tags", self.dir / "two", self.picture],
                 "embeds/a.safetensors: No such file": ["--embeds", embeds, self.picture]}
        for name, shapes, text in [("flat", {"image_embeds": [17, 512]}, "holds no embeddings of a picture"),
                                   ("named", {"embeds": [1, 17, 512]}, "holds no embeddings of a picture"),
                                   ("narrow", {"image_embeds": [1, 17, 12]}, "512")]:
            write_toy(self.dir / f"{name}.safetensors", shapes)
            cases[f"{name}.safetensors: {text}"] = ["--embeds", self.dir / f"{name}.safetensors", self.picture]
        del cases["narrow.safetensors: 512"]
        self.refuse(1, {**cases, "512": ["--embeds", self.dir / "narrow.safetensors", self.picture]})

    def test_embeddings_that_are_not_finite_are_one_pictures(self):
        embeds, out = self.dir / "embeds", self.dir / "out"
        self.succeed("sr-tag", "-m", "dape", "--weights", self.weights, "--embeds", embeds, self.dir / "in")
        write_toy(embeds / "a.safetensors", {"image_embeds": [1, 17, 512]})
        fill(embeds / "a.safetensors", "image_embeds", NAN)
        self.fail_with(1, "in/a.png: ", *command("--embeds", embeds, self.dir / "in", "-o", out))
        self.assertEqual(digests(out), {name: plain()[name] for name in ["b.png", "c.png"]})


if __name__ == "__main__":
    unittest.main()
