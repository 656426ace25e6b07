"""sr-metrics study: the page in a browser; and sr-metrics votes."""

import csv
import json
import re
import time
import unittest

from browser import CHROMIUM, MISSING, Browsing
from harness import Case, rows_of, tree
from test_report import HOSTILE, ppm

COLOURS = {"ours": (200, 0, 0), "theirs": (0, 200, 0), "bicubic": (0, 0, 200)}
PICTURES = ["a.ppm", "b.ppm", "c.ppm", "d.ppm"]


class Made(Case):
    """Folders of pictures that are each of the method's colour, and an LR reference."""

    def setUp(self):
        super().setUp()
        for name in PICTURES:
            for method, colour in COLOURS.items():
                ppm(self.dir / method / name, 80, 60, colour)
            ppm(self.dir / "lr" / name, 20, 15, (200, 200, 200))

    def study(self, *more, name="study.html", status=0):
        result = self.succeed if status == 0 else lambda *a, **k: self.fail_with(status, "", *a, **k)
        result("sr-metrics", "study", "--reference", "lr", *COLOURS, "-o", name, *more, cwd=self.dir)
        return self.dir / name


class StudyFile(Made):
    def test_what_cannot_be_a_study(self):
        (self.dir / "x,y").mkdir()
        (self.dir / "none").mkdir()
        page = ["-o", "study.html"]
        for arguments, text in [(["ours", *page], "two folders"), (["ours", "theirs"], "-o"), (["ours", "no", *page], "no: Not a folder"),
                                (["ours", "ours/", *page], "twice"), (["ours", "./ours", *page], "twice"),
                                (["ours", "theirs", "-o", "ours/a.ppm"], "a page is no picture"), (["ours", "x,y", *page], "comma"),
                                (["ours", "theirs", "-o", "-"], "a file with a name"),
                                (["ours", "theirs", "-o", "no/study.html"], "No such file")]:
            self.fail_with(2, text, "sr-metrics", "study", *arguments, cwd=self.dir)
        self.fail_with(2, "no picture is in all folders", "sr-metrics", "study", "ours", "none", *page, cwd=self.dir, lines=5)
        self.assertFalse((self.dir / "study.html").exists())

    def test_pictures_that_not_all_have_are_told_and_left_out(self):
        (self.dir / "theirs/a.ppm").unlink()
        ppm(self.dir / "bicubic/b.ppm", 81, 60, (0, 0, 0))
        (self.dir / "ours/c.ppm").write_bytes(b"P6 broken")
        result = self.fail_with(1, "ours/a.ppm: no partner in theirs", "sr-metrics", "study", *COLOURS, "-o", "study.html",
                                cwd=self.dir, lines=3)
        self.assertIn(b"bicubic/b.ppm: 81x60, but ours/b.ppm is 80x60", result.stderr)
        self.assertIn(b"ours/c.ppm: ", result.stderr)
        page = (self.dir / "study.html").read_text()
        self.assertEqual([name in page for name in PICTURES], [False, False, False, True])

    def test_names_are_not_read_in_passing_and_the_bytes_are_the_same(self):
        text = self.study().read_text()
        for method in COLOURS:
            self.assertNotIn(method, text.split('<script type="application/json" id="head">')[1].split("'use strict'")[0])
        self.assertIsNone(re.search(r"https?:|src=|href=|@import|url\(", text))
        self.assertEqual(self.study(name="again.html").read_text(), text)


@unittest.skipUnless(CHROMIUM, MISSING)
class StudyPage(Browsing, Made):
    ALLOWED = r"^(file:///|data:|blob:)"

    def setUp(self):
        super().setUp()
        self.browser.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.dir / "saved"))

    def at(self, place):
        self.browser.wait_for(f"document.querySelector('#stages').dataset.place === '{place}'")

    def show(self, page, place=0):
        self.browser.open(page)
        self.at(place)

    def order(self):
        """The methods in the order shown, by their colours."""
        shown = self.browser.evaluate(
            "[...document.querySelectorAll('.choice canvas')].map(canvas => { const copy = document.createElement('canvas');"
            "copy.width = copy.height = 1; const context = copy.getContext('2d'); context.drawImage(canvas, canvas.width / 2, "
            "canvas.height / 2, 1, 1, 0, 0, 1, 1); return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3); })")
        methods = {colour: method for method, colour in COLOURS.items()}
        return [methods[tuple(colour)] for colour in shown]

    def orders(self, page):
        self.show(page)
        found = []
        for i in range(len(PICTURES)):
            self.at(i)
            found.append(self.order())
            self.browser.key("ArrowRight")
        return found

    def write(self, selector, text):
        self.browser.click(selector)
        for letter in text:
            self.browser.key(letter)
        self.browser.evaluate("document.activeElement.blur()")

    def save(self, name):
        self.browser.click("header .save")
        end = time.monotonic() + 60
        while not (saved := sorted((self.dir / "saved").glob(f"{name}-*T*Z.tsv"))):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        with open(saved[-1], encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))

    def text(self, selector):
        return self.browser.evaluate(f"document.querySelector('{selector}').textContent")

    def test_votes_by_click_and_by_key_are_saved(self):
        self.show(self.study("--title", "Clicks and keys"))
        self.assertEqual(self.browser.evaluate("document.title"), "Clicks and keys")
        orders = [self.order()]
        self.browser.click(".choice:nth-of-type(3)")  # the reference is the first stage: the second result
        self.at(1)
        orders.append(self.order())
        self.browser.key("3")
        self.at(2)
        orders.append(self.order())
        self.browser.key("9")  # there is no ninth
        self.browser.key("ArrowRight")  # skipped
        self.at(3)
        orders.append(self.order())
        self.browser.evaluate("document.querySelector('.choice button').click()")
        self.assertEqual(self.text("#left"), "1 of 4 pictures has no vote yet.")
        self.browser.click("#open")
        self.at(2)
        self.write("#reader", "Ann B.")
        self.write("#number", "7")
        votes = self.save("votes-Ann_B_-7")
        self.assertEqual([vote["picture"] for vote in votes], ["a.ppm", "b.ppm", "d.ppm"])
        for vote, order, chosen in zip(votes, [orders[0], orders[1], orders[3]], [1, 2, 0]):
            self.assertEqual(vote["shown"], ",".join(order))
            self.assertEqual(vote["choice"], order[chosen])
            self.assertRegex(vote["seconds"], r"^\d+\.\d$")
            self.assertEqual((vote["reader"], vote["number"]), ("Ann B.", "7"))

    def test_back_shows_the_vote_and_changes_it(self):
        self.show(self.study("--title", "Back"))
        order = self.order()
        self.browser.key("1")
        self.at(1)
        self.browser.click("#back")
        self.at(0)
        self.assertEqual(self.order(), order)
        pressed = "[...document.querySelectorAll('.choice button')].map(b => b.ariaPressed)"
        self.assertEqual(self.browser.evaluate(pressed), ["true", "false", "false"])
        self.browser.key("2")
        self.at(1)
        self.assertEqual([vote["choice"] for vote in self.save("votes")], [order[1]])

    def test_a_reload_goes_on(self):
        page = self.study("--title", "Reload")
        self.show(page)
        self.write("#reader", "Zoë")
        first = self.order()
        self.browser.key("1")
        self.at(1)
        self.browser.reload()
        self.at(1)
        self.assertEqual(self.browser.evaluate("document.querySelector('#reader').value"), "Zoë")
        self.browser.key("ArrowLeft")
        self.at(0)
        self.assertEqual(self.browser.evaluate("document.querySelector('.choice button').ariaPressed"), "true")
        self.assertEqual(self.save("votes-Zoë")[0]["choice"], first[0])
        self.show(self.study("--title", "Another"), 0)  # knows nothing of it

    def test_without_storage_votes_are_still_kept_for_now(self):
        page = self.study("--title", "Nothing kept")
        script = "Storage.prototype.setItem = Storage.prototype.getItem = () => { throw new Error('no'); }"
        added = self.browser.send("Page.addScriptToEvaluateOnNewDocument", source=script)["identifier"]
        self.addCleanup(self.browser.send, "Page.removeScriptToEvaluateOnNewDocument", identifier=added)
        self.show(page)
        self.browser.key("1")
        self.at(1)
        self.assertIn("save your votes", self.text("#storage"))
        self.assertEqual(len(self.save("votes")), 1)

    def test_the_order_is_of_the_seed_the_picture_and_the_readers_number(self):
        orders = self.orders(self.study("--title", "One"))
        self.assertEqual(self.orders(self.study("--title", "Two")), orders)
        self.assertGreater(len({tuple(order) for order in orders}), 1)
        self.assertNotEqual(self.orders(self.study("--title", "Three", "--seed", "1")), orders)
        self.write("#number", "5")
        for _ in PICTURES:
            self.browser.key("ArrowLeft")
        self.at(0)
        numbered = []
        for i in range(len(PICTURES)):
            self.at(i)
            numbered.append(self.order())
            self.browser.key("ArrowRight")
        self.assertNotEqual(numbered, orders)

    def test_zoom_is_of_all_and_a_drag_is_no_vote(self):
        for folder in ["lr", *COLOURS]:
            ppm(self.dir / folder / "a.ppm", 80, 60, (9, 9, 9), (40, 30, 8, 8))
        self.browser.open(self.study("--title", "Zoom"))
        self.at(0)
        lit = ("[...document.querySelectorAll('.stage canvas')].map(c => { const copy = document.createElement('canvas');"
               "copy.width = c.width; copy.height = c.height; const context = copy.getContext('2d'); context.drawImage(c, 0, 0);"
               "const d = context.getImageData(0, 0, c.width, c.height).data; let left = 1e9, right = -1; for (let i = 0; i < "
               "d.length; i += 4) if (d[i] > 127) { const x = i / 4 % c.width; left = Math.min(left, x); right = Math.max(right, x); }"
               "return [left - c.width / 2, right - c.width / 2]; })")
        before = self.browser.evaluate(lit)
        self.browser.wheel(*self.browser.middle(".choice"), -400)
        x, y = self.browser.middle(".choice")
        self.browser.drag((x, y), (x - 30, y))
        after = self.browser.evaluate(lit)
        self.assertEqual(len(after), 4)
        for left, right in after:
            self.assertAlmostEqual(left, after[0][0], delta=1.5)
            self.assertAlmostEqual(right, after[0][1], delta=1.5)
        self.assertGreater(after[0][1] - after[0][0], 1.8 * (before[0][1] - before[0][0]))
        self.assertEqual(self.text("#place"), "1 of 4")

    def test_a_hostile_name_is_only_a_name(self):
        for folder in ["lr", *COLOURS]:
            ppm(self.dir / folder / HOSTILE.replace(".png", ".ppm"), 8, 8, COLOURS.get(folder, (0, 0, 0)))
        self.show(self.study("-r", "--title", HOSTILE))
        self.assertEqual(self.browser.evaluate("document.title"), HOSTILE)


class Votes(Case):
    HEADER = "picture\tchoice\tshown\tseconds\treader\tnumber\n"

    def votes(self, name, *lines):
        (self.dir / name).write_text(self.HEADER + "".join(line.replace(" ", "\t") + "\n" for line in lines))
        return self.dir / name

    def test_votes_are_counted(self):
        ann = self.votes("1.tsv", "a.png ours x,ours,theirs 1.0 Ann ", "b.png theirs x,ours,theirs 1.5 Ann ")
        later = self.votes("2.tsv", "a.png ours x,ours,theirs 1.0 Ann ", "b.png ours x,ours,theirs 9.0 Ann ")
        nobody = self.votes("3.tsv", "a.png theirs x,ours,theirs 1.0  ")
        other = self.votes("4.tsv", "a.png ours x,ours,theirs 1.0  ")
        result = self.succeed("sr-metrics", "votes", ann, later, nobody, other)
        self.assertEqual(rows_of(result), [["method", "votes", "share"], ["ours", "3", "75"], ["theirs", "1", "25"], ["x", "0", "0"]])
        self.assertIn(b"# readers: 3\n# pictures: 2\n", result.stdout)
        edited = b"\xef\xbb\xbf" + ann.read_bytes().replace(b"\n", b"\r\n\r\n")
        lines = self.succeed("sr-metrics", "votes", "--json", "-", input=edited).stdout.splitlines()
        self.assertEqual(json.loads(lines[0], object_pairs_hook=lambda pairs: pairs)[:4],
                         [("method", "ours"), ("votes", 1), ("share", 50), ("share_in", "percent")])
        table = self.succeed("sr-metrics", "votes", "--format", "md", "-", input=ann.read_bytes()).stdout.decode()
        self.assertRegex(table, r"\| ours +\| +1 \| +50\.0 \|")

    def test_what_is_no_vote(self):
        self.fail_with(2, "bad.tsv:2: 'z' was not shown", "sr-metrics", "votes", self.votes("bad.tsv", "a.png z x,y 1.0  "))
        self.fail_with(2, "bad.tsv:3: no vote", "sr-metrics", "votes", self.votes("bad.tsv", "a.png x x,y 1.0  ", "a.png"))
        (self.dir / "other.tsv").write_text("file\tpsnr\n")
        self.fail_with(2, "no column 'picture'", "sr-metrics", "votes", self.dir / "other.tsv")
        self.fail_with(2, "empty", "sr-metrics", "votes", "-")
        self.assertEqual(sorted(tree(self.dir)), ["bad.tsv", "other.tsv"])


if __name__ == "__main__":
    unittest.main()
