"""Every command under EXAMPLES of the man pages is run as it stands there, on toy files of the names that it has. Nothing
but what toy_world.SMALLER says is changed, and nothing is left out."""

import pathlib
import re
import shutil
import tempfile
import unittest

from harness import PROGRAMS, ROOT, SUBCOMMANDS
from toy_world import copy_files, shell

MAN = ROOT / "man"


def pages():
    names = PROGRAMS + [f"{program}-{command}" for program, command in SUBCOMMANDS]
    return [MAN / f"{name}.1" for name in names]


def examples(page):
    """The commands of a page's EXAMPLES as one would copy them."""
    _, _, section = page.read_text().partition("\n.Sh EXAMPLES\n")
    section = section.split("\n.Sh ")[0]
    blocks = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", section, re.M | re.S)
    return [re.sub(r"^\\&", "", block).replace(r"\-", "-").replace(r"\e", "\\").strip() for block in blocks]


class Examples(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name) / "here"
        copy_files(self.dir)

    def check_page(self, page):
        commands = examples(page)
        self.assertGreaterEqual(len(commands), 2, "EXAMPLES has commands")
        for command in commands:
            if "sr-train" in command and "--resume" not in command:
                shutil.rmtree(self.dir / "run", ignore_errors=True)  # a run of its own
            with self.subTest(command):
                result = shell(command, self.dir)
                self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))


def add_pages():
    """A test a page, so that they can be run one by one."""
    for page in pages():
        name = f"test_{page.stem.replace('-', '_')}"
        setattr(Examples, name, lambda self, page=page: self.check_page(page))


add_pages()

if __name__ == "__main__":
    unittest.main()
