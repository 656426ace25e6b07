"""The commands of README.md and GUIDE.md, block by block, in a folder of toy pictures and toy models."""

import pathlib
import re
import shutil
import tempfile
import unittest

from harness import ROOT
from test_examples import examples, pages
from toy_world import SMALLER, Files, copy_files, shell

PAGES = ["README.md", "GUIDE.md"]

# Lines that no test runs, and why not.
NOT_RUN = {
    "scripts/quickstart photo.jpg": "installs packages and builds",
    "scripts/check ": "runs the tests, this one among them",
    "make -C scripts/papers readme-table": "wants the benchmark sets, and a quarter of an hour; test_papers runs its like",
    "scripts/fetch-weights RealESRGAN_x4plus": "downloads",
    "scripts/install-dependencies --package": "installs",
    "cmake --build build/release --target package": "scripts/check-package does, in clean systems",
    "cmake --install": "scripts/check-package does, in clean systems",
}


def blocks(page):
    """(line number, commands) of each block marked as shell."""
    text = (ROOT / page).read_text()
    for match in re.finditer(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield text[:match.start()].count("\n") + 2, match[1]


def what_runs(commands):
    return "".join(line + "\n" for line in commands.splitlines() if not any(line.startswith(x) for x in NOT_RUN))


class Docs(unittest.TestCase):
    def check(self, page):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name) / "here"
            copy_files(folder)
            for run in ["run", "sfd"]:  # the pages make their own
                shutil.rmtree(folder / run)
            for line, commands in blocks(page):
                with self.subTest(f"{page}:{line}"):
                    result = shell(what_runs(commands), folder)
                    self.assertEqual(result.returncode, 0, commands + result.stderr.decode(errors="replace"))

    def test_readme(self):
        self.check("README.md")

    def test_guide(self):
        self.check("GUIDE.md")

    def test_seesr_pairs(self):
        """Those that share/presets/README.md makes are what training takes, in subfolders too."""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name) / "here"
            copy_files(folder)
            shutil.rmtree(folder / "LSDIR")
            Files(folder).pictures("LSDIR", ["a.png", "b/a.png"], 512, 512)
            (_, commands), = blocks("share/presets/README.md")
            train = "sr-train seesr --config seesr --data train/ -o pairs-run/\n"
            result = shell(commands + train, folder)
            self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
            for caption in ["a.txt", "b/a.txt"]:
                self.assertTrue((folder / "train/tag" / caption).read_text().endswith(",\n"))

    def test_exceptions_are_there(self):
        lines = [line for page in PAGES for _, commands in blocks(page) for line in commands.splitlines()]
        for beginning in NOT_RUN:
            self.assertTrue(any(line.startswith(beginning) for line in lines), beginning)
        lines += [command for page in pages() for command in examples(page)]
        for part in SMALLER:
            self.assertTrue(any(part in line for line in lines), part)


if __name__ == "__main__":
    unittest.main()
