"""What sr-diffuse's tests have in common: a set of toy models, pictures, and ways to run the program on them."""

import atexit
import concurrent.futures
import functools
import hashlib
import pathlib
import re
import shutil
import tempfile

from harness import SAMPLES, Case, pixels, rows_of, run, tree, vips
from seesr_models import write_models

SMALL = {"--steps": "2", "--process-size": "64", "--threads": "1"}
BASE = "stable-diffusion-2-base"


@functools.cache
def factory():
    """A folder with the `models`, and pictures `in` a folder, made once."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    path = pathlib.Path(folder.name)
    write_models(path / "models")
    (path / "in").mkdir()
    for name, sample in [("a.png", "chelsea.png"), ("b.png", "coffee.png"), ("c.png", "rocket.jpg")]:
        vips("crop", SAMPLES / sample, path / "in" / name, 60, 40, 24, 20)
    return path


def digest(path):
    """In place of a file's bytes: unlike these, quick to tell about where they are others than expected."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def digests(folder):
    return {name: digest(folder / name) for name in tree(folder)}


def at_once(works):
    """Answers of {name: function}, worked at two at a time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return dict(zip(works, pool.map(lambda work: work(), works.values())))


def command(*arguments):
    """With SMALL and the models, where the arguments don't say otherwise."""
    defaults = {**SMALL, "--weights": factory() / "models"}
    said = [part for option, value in defaults.items() if option not in arguments for part in (option, value)]
    return ["sr-diffuse", *said, *arguments]


@functools.cache
def plain_folder():
    """What comes of the pictures with SMALL alone."""
    out = factory() / "plain"
    result = run(*command(factory() / "in", "-o", out))
    assert result.returncode == 0, result.stderr.decode()
    return out


@functools.cache
def plain():
    """{name: digest} of the same."""
    return digests(plain_folder())


def mean_difference(one, other):
    (a, bands), (b, same) = pixels(one), pixels(other)
    assert bands == same and len(a) == len(b)
    return sum(abs(x - y) for x, y in zip(a, b)) / len(a)


class DiffuseCase(Case):
    def setUp(self):
        super().setUp()
        shutil.copytree(factory() / "in", self.dir / "in")
        self.picture = self.dir / "in/a.png"
        self.weights = factory() / "models"

    def copied_models(self):
        """To be damaged."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.dir)) / "models"
        shutil.copytree(self.weights, folder)
        return folder

    def diffuse(self, *arguments, **options):
        return self.succeed(*command(*arguments), **options)

    def result_of(self, *arguments, name="x.png"):
        out = pathlib.Path(tempfile.mkdtemp(dir=self.dir)) / name
        self.diffuse(*arguments, "-o", out)
        return out

    def each_file(self, variants):
        return at_once({name: lambda options=options: self.result_of(*options, self.picture)
                        for name, options in variants.items()})

    def each(self, variants):
        """{name: digest} of the picture's results with each one's options."""
        return {name: digest(path) for name, path in self.each_file(variants).items()}

    def assert_all_differ(self, results):
        for name, result in results.items():
            self.assertEqual([other for other in results if results[other] == result], [name])

    def refuse(self, status, cases, told=None, **options):
        """Expects of each of {text: arguments} the status, no result, and one line with the text (or what `told` has
        for it) that is not LibTorch's; the lines."""
        out = self.dir / "no.png"
        results = at_once({text: lambda arguments=arguments: run(*command(*arguments, "-o", out), **options)
                           for text, arguments in cases.items()})
        messages = {text: result.stderr.decode(errors="replace") for text, result in results.items()}
        for text, message in messages.items():
            with self.subTest(text):
                self.assertEqual(results[text].returncode, status, message)
                self.assertRegex(message, told[text] if told else re.escape(text))
                self.assertEqual(message.count("\n"), 1, message)
                self.assertNotRegex(message, "mat1|size of tensor|Given groups|boost::")
        self.assertFalse(out.exists())
        return messages

    def plan(self, *arguments):
        """Rows of --print-plan as {column: text}, and the facts above them."""
        result = self.diffuse("--print-plan", *arguments)
        names, *rows = rows_of(result)
        facts = dict(line[2:].split(": ", 1) for line in result.stdout.decode().splitlines() if line.startswith("# "))
        return [dict(zip(names, row)) for row in rows], facts
