"""scripts/papers: the tables of the papers, with toys; what is missing; how numbers are laid side by side."""

import csv
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from harness import BIN, ROOT, Case

PAPERS = ROOT / "scripts/papers"
# Every kind of chain: published and trained networks, runs that start from runs, all kinds of scores, opinions, other
# restorations, DAPE and SeeSR trained and used, pages. `make PROFILE=smoke all` is the rest of the same kinds.
TARGETS = ["sed-table2", "sed-table3", "sfd-table2", "sfd-table3", "sfd-table4", "sfd-table5", "sfd-figure8", "seesr-table3",
           "seesr-table4", "seesr-table5", "seesr-table6", "seesr-table7", "seesr-table8"]
PAGES = ["sfd-figure8", "seesr-table3", "seesr-table4", "sed-figure5"]
if shutil.which("gnuplot"):
    TARGETS.append("sed-figure5")


def command(out, *arguments):
    return ["make", "-C", str(PAPERS), f"OUT={out}", *map(str, arguments)]


def environment(home):
    """Without weights of whoever runs the tests, and without the flags of a make above."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("MAKE", "MFLAGS", "SR_WEIGHTS", "XDG_"))}
    return {**kept, "SR_BIN": str(BIN), "HOME": str(home)}


class Papers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.dir = pathlib.Path(folder.name)
        cls.out = cls.dir / "out"
        made = cls.make("PROFILE=smoke", "-j2", *TARGETS)
        if made.returncode:
            raise AssertionError(made.stderr[-3000:])

    @classmethod
    def make(cls, *arguments, out=None):
        return subprocess.run(command(out or cls.out, *arguments), capture_output=True, text=True, timeout=1500,
                              check=False, env=environment(cls.dir))

    def rows(self, table):
        with open(self.out / f"smoke/tables/{table}.tsv", encoding="utf-8", newline="") as file:
            return list(csv.DictReader([line for line in file if not line.startswith("#")], delimiter="\t"))

    def test_tables_have_the_papers_numbers_and_ours(self):
        for table in TARGETS:
            if table in PAGES:
                continue
            with self.subTest(table):
                rows = self.rows(table)
                both = [row for row in rows if row["paper"] and row["ours"]]
                self.assertTrue(both)
                self.assertTrue(any(not row["ours"] for row in rows) or table not in ["sfd-table3", "seesr-table8"])
                note = (self.out / f"smoke/tables/{table}.md").read_text().splitlines()[2]
                self.assertIn("mean nothing", note)
                self.assertIn(r"\toprule", (self.out / f"smoke/tables/{table}.tex").read_text())
        complete = [row for table in ["sed-table3", "sfd-table2", "sfd-table5"] for row in self.rows(table)]
        self.assertEqual([row for row in complete if not row["ours"]], [])
        for page in ["sfd-figure8-GoPro", "seesr-table4"]:
            self.assertIn("<html", (self.out / f"smoke/tables/{page}.html").read_text())
        # NIQE's sign is turned, and no other
        agreed = {row["measure"]: row for row in self.rows("../scores/opinions/KonIQ-10k")}
        ours = {row["row"]: row["ours"] for row in self.rows("sfd-table3")
                if (row["dataset"], row["measure"]) == ("KonIQ-10k", "plcc")}
        for row, measure, sign in [("NIQE", "niqe", -1), ("IL-NIQE", "ilniqe", -1), ("SFD-IQA", "sfd-iqa", 1)]:
            self.assertEqual(ours[row], f"{sign * float(agreed[measure]['plcc']):.4f}")
        if "sed-figure5" in TARGETS:
            self.assertTrue((self.out / "smoke/tables/sed-figure5-sed-p.png").read_bytes().startswith(b"\x89PNG"))
        self.assertIn("sr/METHOD/COCO-Val", (self.out / "smoke/tables/seesr-table3.txt").read_text())

    def test_again_there_is_nothing_to_do(self):
        again = self.make("PROFILE=smoke", *TARGETS)
        self.assertEqual(again.returncode, 0, again.stderr)
        for table in TARGETS:
            self.assertIn(f"Nothing to be done for '{table}'", again.stdout)
        self.assertEqual(len(again.stdout.splitlines()), len(TARGETS) + 2, again.stdout)

    def test_what_is_older_than_its_source_is_made_again(self):
        model = self.out / "smoke/models/sed-a.safetensors"
        before = model.stat()
        self.addCleanup(os.utime, model, ns=(before.st_atime_ns, before.st_mtime_ns))
        os.utime(model)
        planned = self.make("PROFILE=smoke", "-n", "sed-table3").stdout
        self.assertIn("/sr/sed-a/Set5", planned)
        self.assertNotIn("/sr/sed-b/", planned.split("tabulate")[0])
        self.assertNotIn("sr-train", planned)
        planned = self.make("PROFILE=smoke", "-n", "sed-table1").stdout
        for row in ["SwinIR+U", "SwinIR+U+SeD"]:
            self.assertIn(f"'{row}|Set5|", planned)
        self.assertIn("no plan", self.make("PROFILE=smoke", "-n", "sed-table1", out=self.dir / "new").stderr)
        self.assertFalse((self.dir / "new").exists())

    def test_interrupted_it_goes_on(self):
        table, stamps = self.out / "smoke/tables/sed-table3.md", self.out / "smoke/sr/sed-b"
        wanted = table.read_bytes()
        for method in ["sed-b", "sed-c"]:
            for file in [self.out / f"smoke/models/{method}.safetensors", self.out / f"smoke/runs/{method}.begun",
                         *(self.out / "smoke/sr" / method).glob("*.*")]:
                file.unlink()
        process = subprocess.Popen(command(self.out, "PROFILE=smoke", "-j2", "sed-table3"), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=environment(self.dir), start_new_session=True)
        while not (stamps / "Urban100.begun").exists():
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        self.assertNotEqual(process.wait(timeout=60), 0)
        done = {path: path.stat().st_mtime_ns for path in stamps.glob("*.done")}
        model = self.out / "smoke/models/sed-b.safetensors"
        trained = model.stat().st_mtime_ns
        after = self.make("PROFILE=smoke", "sed-table3")
        self.assertEqual(after.returncode, 0, after.stderr)
        self.assertEqual(table.read_bytes(), wanted)
        self.assertEqual({path: path.stat().st_mtime_ns for path in done}, done)
        self.assertEqual(model.stat().st_mtime_ns, trained)
        self.assertTrue(list((self.out / "smoke/runs").glob("sed-b.until-*")))

    def test_votes_are_counted_whatever_their_dates_and_names(self):
        votes = self.out / "smoke/votes"
        votes.mkdir()
        def counted():
            made = self.make("PROFILE=smoke", "seesr-table4")
            self.assertEqual(made.returncode, 0, made.stderr)
            return {row["method"]: int(row["votes"]) for row in self.rows("seesr-table4")}["seesr"]
        for i, name in enumerate(["votes-Ann.tsv", "votes-Bob (1).tsv"]):
            (votes / name).write_text(f"picture\tchoice\tshown\treader\tnumber\n0.png\tseesr\tbsrgan,seesr\tr{i}\t1\n")
            os.utime(votes / name, (0, 0))
            self.assertEqual(counted(), i + 1)
        (votes / "votes-Ann.tsv").unlink()
        self.assertEqual(counted(), 1)

    def test_what_is_missing_is_said_and_nothing_starts(self):
        out, data = self.dir / "paper", self.dir / "data"
        for folder in ["Set5/HR", "Set14/HR"]:
            (data / folder).mkdir(parents=True)
        (data / "Set5/HR/0.png").touch()
        told = self.make("PROFILE=paper", "PARTIAL=no", f"DATA={data}", f"WEIGHTS={data}", "sed-table1", "seesr-table2",
                         out=out)
        self.assertEqual(told.returncode, 2)
        for text in ["set Set14: Set14/HR (14 pictures)", "warning: set Set5: Set5/HR has 1 of 5 pictures",
                     "set Urban100: Urban100/HR (100 pictures), https://", "RRDB_ESRGAN_x4.pth, https://drive.google.com",
                     "RN50.pt, https://openaipublic", "for model sed-p", "alexnet-owt-7be5be79.pth, https://download.pytorch",
                     "weights stable-diffusion-2-base: ", "pt_inception-2015-12-05-6726825d.pth", "PARTIAL=yes"]:
            self.assertIn(text, told.stderr)
        self.assertNotIn("missing: set Set5", told.stderr)
        self.assertEqual(told.stdout.count("sr-"), 0, told.stdout)
        self.assertFalse(out.exists())

    def test_without_anything_the_papers_numbers_are_left(self):
        out = self.dir / "nothing"
        made = self.make("PARTIAL=yes", f"DATA={out}", f"WEIGHTS={out}", "sfd-table1", "sfd-supp-table1", "sfd-supp-table2",
                         out=out)
        self.assertEqual(made.returncode, 0, made.stderr)
        for table, row in [("sfd-table1", "WGSR"), ("sfd-supp-table1", "SwinIR+SFD"), ("sfd-supp-table2", "ViT-B/16")]:
            self.assertIn(f"| {row} | paper |", (out / f"paper/tables/{table}.md").read_text())

    def test_partial_takes_what_is_there(self):
        out, data = self.dir / "partial", self.out / "smoke/data"
        def make(*arguments, data=data, weights=self.dir):
            return self.make("PROFILE=paper", f"DATA={data}", "PARTIAL=yes", f"WEIGHTS={weights}", "readme-table", *arguments,
                             out=out)
        self.assertIn("sr-upscale -m bicubic", make("-n").stdout)
        self.assertFalse(out.exists())  # a plan writes nothing
        made = make()
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertIn("lpips-alex.pth", made.stderr)
        lines = (out / "paper/tables/readme-table.md").read_text().splitlines()
        self.assertEqual([line.split(" | ")[0] for line in lines[4:]], ["| bicubic", "| compact-x4", "| compact-x4-real"])
        self.assertIn("Set5 PSNR ↑ | Set5 SSIM ↑ | Set14 PSNR ↑", lines[2])
        # sources elsewhere count, whatever their dates
        self.assertIn("Nothing to be done", make("-n").stdout)
        (self.dir / "elsewhere").symlink_to(data)
        planned = make("-n", data=self.dir / "elsewhere").stdout
        for program in ["sr-degrade", "sr-upscale -m bicubic", "sr-metrics"]:
            self.assertIn(program, planned)
        weights = self.dir / "weights"
        weights.mkdir()
        shutil.copy2(ROOT / "share/models/compact-x4.safetensors", weights)
        planned = make("-n", weights=weights).stdout
        self.assertIn(f"sr-upscale -m {weights}/compact-x4.safetensors", planned)
        self.assertNotIn("sr-upscale -m bicubic", planned)
        self.assertNotIn("sr-degrade", planned)
        self.assertIn("Nothing to be done", make("-n").stdout)

    def test_wrong_words(self):
        self.assertIn("none of paper, smoke", self.make("PROFILE=tiny", "all").stderr)
        self.assertIn("PARTIAL=1 is none of yes, no", self.make("PARTIAL=1", "all").stderr)
        for name in "DATA=a b", "DATA=a:b", "WEIGHTS=a#b", "SR_BIN=a'b", "DATA=a$b":
            variable, value = name.split("=")
            self.assertIn(f"{variable}: '{value}' has a ", self.make(name, "all").stderr)
        for table in ["sed-table1", "sfd-supp-table2", "seesr-table8"]:
            self.assertIn(table, self.make().stdout)


class Tabulate(Case):
    def write(self, name, *lines):
        path = self.dir / name
        path.write_text("".join("\t".join(line.split()) + "\n" for line in lines))
        return path

    def tabulate(self, *arguments):
        self.succeed(str(PAPERS / "tabulate"), "-o", self.dir / "table", *arguments)
        with open(self.dir / "table.tsv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader([line for line in file if not line.startswith("#")], delimiter="\t"))
        return {(row["row"], row["dataset"], row["measure"]): row for row in rows}

    def test_marks_and_differences(self):
        reference = self.write("paper.tsv", "method dataset lpips psnr", "A Set5 0.070 30.1", "B Set5 0.060 30.2",
                               "C Set5 0.080 30.2", "D Set5 0.090 29.0")
        scores = [f"{row}|Set5|" + str(self.write(f"{row}.tsv", "file lpips psnr", "x.png 9 9", f"mean {lpips} {psnr}"))
                  for row, lpips, psnr in [("A", 0.0612, 30.26), ("B", 0.0718, 30.31), ("E", 0.0609, 28)]]
        rows = self.tabulate("--reference", reference, *scores)
        self.assertEqual([rows[row, "Set5", "lpips"]["paper_rank"] for row in "ABCD"], ["2", "1", "", ""])
        self.assertEqual([rows[row, "Set5", "psnr"]["paper_rank"] for row in "ABCD"], ["2", "1", "1", ""])
        # ours: at the paper's digits, ranked among themselves as they are printed
        self.assertEqual([rows[row, "Set5", "lpips"]["ours"] for row in "ABE"], ["0.061", "0.072", "0.061"])
        self.assertEqual([rows[row, "Set5", "lpips"]["our_rank"] for row in "ABE"], ["1", "2", "1"])
        self.assertEqual([rows[row, "Set5", "psnr"]["our_rank"] for row in "ABE"], ["1", "1", "2"])
        self.assertEqual([rows[row, "Set5", "lpips"]["difference"] for row in "AB"], ["-0.009", "+0.012"])
        self.assertEqual([rows["A", "Set5", measure]["better"] for measure in ["lpips", "psnr"]], ["lower", "higher"])
        lines = (self.dir / "table.md").read_text().splitlines()
        self.assertEqual(lines[0], "|  |  | Set5 LPIPS ↓ | Set5 PSNR ↑ |")
        self.assertEqual(lines[2:5], ["| A | paper | <u>0.070</u> | <u>30.1</u> |", "|  | ours | **0.061** | **30.3** |",
                                      "|  | difference | -0.009 | +0.2 |"])
        self.assertIn("B & paper & \\textbf{0.060} & \\textbf{30.2} \\\\\n & ours & \\underline{0.072} & \\textbf{30.3} \\\\",
                      (self.dir / "table.tex").read_text())

    def test_what_is_not_a_number_has_no_mark(self):
        scores = [f"{row}|S|" + str(self.write(f"{row}.tsv", "file lpips", f"mean {value}"))
                  for row, value in [("C", 4), ("A", "nan"), ("B", 3)]]
        rows = self.tabulate("--reference", self.write("paper.tsv", "method dataset lpips", "A S 1.00", "B S nan"), *scores)
        self.assertEqual([rows[row, "S", "lpips"]["ours"] for row in "ABC"], ["nan", "3.00", "4.00"])
        self.assertEqual([rows[row, "S", "lpips"]["our_rank"] for row in "ABC"], ["", "1", "2"])
        self.assertEqual([rows[row, "S", "lpips"]["difference"] for row in "ABC"], ["", "", ""])

    def test_shapes_of_references(self):
        long = self.write("long.tsv", "method dataset metric value", "A S clipqa 0.5", "B S clipqa 0.25")
        score = self.write("a.tsv", "file clipiqa other", "mean 0.75 1")
        rows = self.tabulate("--reference", long, f"A|S|{score}")
        self.assertEqual(rows["A", "S", "clipiqa"]["difference"], "+0.25")
        self.assertEqual(len(rows), 2)
        columns = self.write("columns.tsv", "metric dataset without with", "psnr S 20.50 21.00", "fid S 30.1 29.0")
        rows = self.tabulate("--reference", columns, "--columns", "methods", "--unranked", "with")
        self.assertEqual(rows["with", "S", "psnr"]["paper"], "21.00")
        self.assertEqual([rows[row, "S", "psnr"]["paper_rank"] for row in ["with", "without"]], ["", "1"])
        split = self.write("split.tsv", "experiment generator niqe_canon niqe_nikon", "1 RRDB 7.56 7.83", "2 - 4.1 5.0")
        rows = self.tabulate("--reference", split, "--rows", "experiment,generator", "--columns", "split")
        self.assertEqual(rows["1/RRDB", "nikon", "niqe"]["paper_rank"], "2")

    def test_lines_are_chosen(self):
        reference = self.write("paper.tsv", "method dataset srcc ap", "A S 0.90 50")
        score = self.write("a.tsv", "measure set srcc ap", "x one -0.8 0.25", "x two -0.7 0.5")
        arguments = ["--reference", reference, "--percent", "ap"]
        rows = self.tabulate(*arguments, "--negated", "A", f"A|S|{score}|measure=x,set=two", f"B|S|{score}|measure=x,set=one")
        self.assertEqual([rows[row, "S", measure]["ours"] for row in "AB" for measure in ["srcc", "ap"]],
                         ["0.70", "-50", "-0.80", "25"])
        self.fail_with(2, "2 lines instead of one", str(PAPERS / "tabulate"), "-o", self.dir / "x", *arguments,
                       f"A|S|{score}|measure=x")
        told = self.write("told.tsv", "dataset measure value", "S AP good")
        for text, *words in [("none.tsv: No such file", "A|S|none.tsv"), ("'x' is not COLUMN=VALUE", f"A|S|{score}|x"),
                             ("told.tsv: 'good' is not a number", f"A||{told}")]:
            self.fail_with(2, text, str(PAPERS / "tabulate"), "-o", self.dir / "x", *words)
        self.fail_with(2, "nowhere/x.md: No such file", str(PAPERS / "tabulate"), "-o", self.dir / "nowhere/x")
        self.assertFalse((self.dir / "x.tsv").exists())


if __name__ == "__main__":
    unittest.main()
