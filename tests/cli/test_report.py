"""sr-metrics --report: the file, and the page in a browser."""

import json
import os
import re
import signal
import subprocess
import unittest

from browser import CHROMIUM, MISSING, Browsing
from harness import BIN, SAMPLES, Case, run, vips

HOSTILE = "x</script><script>document.title='taken'<!--.png"  # a folder, "x<", and a file in it


def ppm(path, width, height, colour, block=None):
    """A picture of one colour; `block`: (left, top, width, height) of a white part."""
    rows = [[colour] * width for _ in range(height)]
    if block:
        for y in range(block[1], block[1] + block[3]):
            rows[y][block[0]:block[0] + block[2]] = [(255, 255, 255)] * block[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"P6 %d %d 255\n" % (width, height) + bytes(v for row in rows for pixel in row for v in pixel))


class Made(Case):
    """Makes folders a and b of pairs whose scores are all different."""

    def pairs(self):
        for name, sigma in [("mild.png", 0.6), ("strong.png", 3), (HOSTILE, 1.5)]:
            sharp = self.crop(f"b/{name}", 96, 64)
            (self.dir / "a" / name).parent.mkdir(parents=True, exist_ok=True)
            vips("gaussblur", sharp, self.dir / "a" / name, sigma)
        for side in "ab":
            self.crop(f"{side}/same.png", 64, 48)

    def report(self, *options, metrics="psnr,ssim", status=0):
        """Makes the page of a and b; what was printed, by name."""
        page = self.dir / "out.html"
        result = run("sr-metrics", "-r", "-m", metrics, "--report", page, *options, "a", "b", cwd=self.dir)
        self.assertEqual(result.returncode, status, result.stderr.decode())
        lines = [line.split("\t") for line in result.stdout.decode().splitlines() if not line.startswith("#")]
        return page, {name: [float(score) for score in scores] for name, *scores in lines[1:]}


class ReportFile(Made):
    def test_what_cannot_be_written_is_told_before_anything_is_measured(self):
        self.pairs()
        (self.dir / "folder").mkdir()
        for target, text in [("-", "a page needs a file"), ("folder", "Is a directory"), ("no/such/out.html", "No such file"),
                             ("a/page.png", "a page is no picture: name it FILE.html"), ("a/page.bmp", "no picture")]:
            result = self.fail_with(2, text, "sr-metrics", "-r", "--report", target, "a", "b", cwd=self.dir)
            self.assertEqual(result.stdout, b"", target)
        self.assertEqual(sorted(os.listdir(self.dir)), ["a", "b", "folder"])

    def test_a_full_disk_is_an_error_that_names_the_page(self):
        self.pairs()
        self.fail_with(1, "/dev/full: No space left", "sr-metrics", "-r", "--report", "/dev/full", "a", "b", cwd=self.dir)

    def test_a_pair_that_fails_is_left_out_and_the_page_is_made(self):
        self.pairs()
        self.crop("a/other.png", 40, 30)
        self.crop("b/other.png", 41, 30)
        page, printed = self.report(status=1)
        self.assertNotIn("other.png", printed)
        self.assertNotIn("other.png", page.read_text())
        self.assertEqual(page.read_text().count('class="row"'), 4)

    def test_the_bytes_do_not_depend_on_jobs(self):
        self.pairs()
        one, four = (self.report("--jobs", jobs)[0].read_bytes() for jobs in ["1", "4"])
        self.assertEqual(one, four)

    def test_the_page_names_no_other_place(self):
        self.pairs()
        self.assertIsNone(re.search(r"https?:|src=|href=|@import|url\(", self.report()[0].read_text()))

    def test_an_interrupt_leaves_nothing(self):
        for i in range(30):
            for side in "ab":
                (self.dir / side).mkdir(exist_ok=True)
                os.symlink(SAMPLES / "coffee.png", self.dir / f"{side}/{i}.png")
        for stop in [signal.SIGINT, signal.SIGTERM]:
            process = subprocess.Popen([BIN / "sr-metrics", "--report", "out.html", "a", "b"], cwd=self.dir,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            while not process.stdout.readline().startswith(b"0.png"):
                self.assertIsNone(process.poll())
            self.assertTrue(any(name.endswith(".html") for name in os.listdir(self.dir)))  # its temporary
            process.send_signal(stop)
            self.assertEqual(process.wait(timeout=60), -stop)
            process.stdout.close()
            self.assertEqual(sorted(os.listdir(self.dir)), ["a", "b"])


@unittest.skipUnless(CHROMIUM, MISSING)
class ReportPage(Browsing, Made):
    # (the page's own canvases are kept for drawing: what is read is a copy)
    PIXELS = ("((canvas, x, y, w, h) => { const copy = document.createElement('canvas'); copy.width = canvas.width; "
              "copy.height = canvas.height; const context = copy.getContext('2d', {willReadFrequently: true}); "
              "context.drawImage(canvas, 0, 0); return context.getImageData(x, y, w ?? canvas.width, h ?? "
              "canvas.height).data; })")

    def show(self, page, place=0):
        self.browser.open(page)
        self.choose(place)

    def choose(self, place):
        self.browser.click(f'tr[data-place="{place}"] .name')
        self.browser.wait_for(f"document.querySelector('#stages').dataset.place === '{place}'")

    def texts(self, selector):
        return self.browser.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.textContent)")

    def table(self, part="tbody"):
        """{name: [score as text]}, in the order shown."""
        rows = self.browser.evaluate(f"[...document.querySelectorAll('{part} tr')].map(row => "
                                     "[row.querySelector('.file').textContent, "
                                     "...[...row.querySelectorAll('.score')].map(cell => cell.textContent)])")
        return {name: scores for name, *scores in rows}

    def sort(self, column):
        self.browser.click(f'th[data-column="{column}"] button')
        return list(self.table())

    def bars(self):
        """The bars' lengths as fractions of their track, by name; None where there is none."""
        return dict(self.browser.evaluate(
            "[...document.querySelectorAll('tbody tr')].map(row => { const bar = row.querySelector('.track i'); return "
            "[row.querySelector('.file').textContent, bar.hidden ? null : parseFloat(bar.style.width) / 100]; })"))

    def edited(self, page, edit):
        """The page with its rows (a list of objects) and head changed by `edit(head, rows)`."""
        text = page.read_text()
        scripts = re.findall(r'<script type="application/json" (?:id="head"|class="row")>(.*)</script>\n', text)
        head, *rows = map(json.loads, scripts)
        edit(head, rows)
        for old, new in zip(scripts, [head, *rows]):
            text = text.replace(old, json.dumps(new).replace("<", "\\u003c"))
        changed = self.dir / "changed.html"
        changed.write_text(text)
        return changed

    def colour(self, stage, x, y):
        """Red, green and blue of a canvas at a point of the window."""
        left, top, _, _ = self.browser.box(f"#{stage} canvas")
        return self.browser.evaluate(f"[...{self.PIXELS}(document.querySelector('#{stage} canvas'), {x - left}, "
                                     f"{y - top}, 1, 1)].slice(0, 3)")

    def lit(self, stage):
        """(left, top, right, bottom) of the canvas's bright pixels, from the canvas's middle; None without any."""
        return self.browser.evaluate(
            f"(c => {{ const w = c.width, h = c.height, d = {self.PIXELS}(c, 0, 0);"
            "let box = null; for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) if (d[4 * (y * w + x)] > 127) {"
            "box ??= [x, y, x, y]; box = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), "
            "Math.max(box[3], y)]; } return box && box.map((v, i) => v - (i % 2 ? h : w) / 2); })"
            f"(document.querySelector('#{stage} canvas'))")

    def assert_in_step(self):
        compare, error = self.lit("compare"), self.lit("error")
        for x, y in zip(compare, error):
            self.assertAlmostEqual(x, y, delta=1.5)
        return compare

    # --- the table
    def test_the_table_holds_what_was_printed(self):
        self.pairs()
        page, printed = self.report()
        self.show(page)

        def shown(psnr, ssim):
            return ["∞" if psnr == float("inf") else f"{psnr:.2f}", f"{ssim:.4f}"]
        table = self.table()
        self.assertEqual(list(table), [name for name in printed if name not in ("mean", "std")])
        for name, scores in table.items():
            self.assertEqual(scores, shown(*printed[name]), name)
        self.assertEqual(self.table("tfoot")["mean"], shown(*printed["mean"]))
        self.assertEqual(self.texts(".figure b"), shown(*printed["mean"]))
        self.assertIn("protocol", self.texts("#facts dt"))
        self.assertIn("crop border 0", " ".join(self.texts("#facts dd")))

    def test_a_click_sorts_and_another_turns_it_round(self):
        self.pairs()
        page, printed = self.report()
        self.show(page)
        names = list(self.table())
        for column in [0, 1]:
            best_first = sorted(names, key=lambda name, c=column: -printed[name][c])
            self.assertEqual(best_first[0], "same.png")  # inf before all numbers
            self.assertEqual(self.sort(column), best_first)
            self.assertEqual(self.browser.evaluate("document.querySelector('[aria-sort]').ariaSort"), "descending")
            self.assertEqual(self.sort(column), best_first[::-1])
        self.assertEqual(self.sort(-1), ["mild.png", "same.png", "strong.png", HOSTILE])
        self.assertEqual(self.sort(-2), names)

    def test_missing_values_come_last_either_way_and_lower_may_be_better(self):
        self.pairs()

        def edit(head, rows):
            head["columns"][0]["higher_is_better"] = False
            for row, score in zip(rows, [None, 3.25, "nan", -1.5]):
                row["scores"][0] = score
        self.show(self.edited(self.report()[0], edit))
        names = list(self.table())
        self.assertEqual([scores[0] for scores in self.table().values()], ["–", "3.25", "nan", "-1.50"])
        up = self.sort(0)
        self.assertEqual(up, [names[i] for i in (3, 1, 0, 2)])
        self.assertEqual(self.sort(0), [names[i] for i in (1, 3, 0, 2)])
        self.assertEqual([bar is None for bar in self.bars().values()], [False, False, True, True])

    def test_bars_are_of_the_column_that_was_clicked(self):
        self.pairs()
        page, printed = self.report()
        self.show(page)
        for column in [0, 1, 0]:
            self.sort(column)
            bars = self.bars()
            low, of, high = self.texts(".axis span")
            self.assertEqual(of, ["psnr", "ssim"][column])
            for name, length in bars.items():
                value = min(printed[name][column], float(high))
                self.assertAlmostEqual(length, (value - float(low)) / (float(high) - float(low)), places=3)
            self.assertEqual(len(set(bars.values())), 4)

    def test_names_are_filtered(self):
        self.pairs()
        self.show(self.report()[0])
        self.browser.click("#filter")
        for letter in "STR":
            self.browser.key(letter)
        self.assertEqual(self.texts("tbody tr:not([hidden]) .file"), ["strong.png"])
        self.assertEqual(self.texts("#count"), ["1 of 4 pictures"])

    def test_a_hostile_name_is_only_a_name(self):
        self.pairs()
        self.show(self.report()[0])
        self.assertEqual(self.browser.evaluate("document.title"), self.texts("#title")[0])
        self.assertNotEqual(self.browser.evaluate("document.title"), "taken")
        place = list(self.table()).index(HOSTILE)
        self.choose(place)
        self.assertEqual(self.texts("#name"), [HOSTILE])

    # --- the viewer
    def red_and_blue(self):
        ppm(self.dir / "a/x.ppm", 80, 60, (255, 0, 0))
        ppm(self.dir / "b/x.ppm", 80, 60, (0, 0, 255))
        self.show(self.report()[0])

    def slider(self):
        return int(self.browser.evaluate("document.querySelector('#handle').ariaValueNow"))

    def test_the_slider_is_dragged(self):
        self.red_and_blue()
        left, top, width, height = self.browser.box("#compare")
        y = top + height / 2
        self.assertEqual(self.slider(), 50)
        self.browser.drag((left + width / 2, y), (left + width * 0.6, y))
        self.assertGreater(self.slider(), 55)
        self.assertEqual(self.colour("compare", left + width * 0.6 - 12, y), [255, 0, 0])
        self.assertEqual(self.colour("compare", left + width * 0.6 + 12, y), [0, 0, 255])
        x = self.browser.middle("#handle")[0]
        self.assertAlmostEqual(x, left + width * 0.6, delta=2)
        self.browser.drag((x, y), (left, y))
        self.assertEqual(self.slider(), 0)
        self.assertEqual(self.colour("compare", left + width / 2, y), [0, 0, 255])

    def test_the_slider_has_keys(self):
        self.red_and_blue()
        for key, shift, place in [("ArrowRight", False, 51), ("ArrowLeft", True, 41), ("End", False, 100),
                                  ("Home", False, 0)]:
            self.browser.key(key, shift)
            self.assertEqual(self.slider(), place)

    def test_zoom_is_of_both_and_the_error_map_and_stays_at_the_pointer(self):
        ppm(self.dir / "a/x.ppm", 300, 200, (0, 0, 0), (150, 80, 10, 10))
        ppm(self.dir / "b/x.ppm", 300, 200, (0, 0, 0))
        self.show(self.report()[0])
        self.browser.key("End")
        before = self.assert_in_step()
        for stage in ["compare", "error"]:
            x, y = self.browser.middle(f"#{stage} canvas")
            self.browser.wheel(x + before[0], y + before[1], -400)
            after = self.assert_in_step()
            self.assertGreater(after[2] - after[0], 1.8 * (before[2] - before[0]))
            self.assertAlmostEqual(after[0], before[0], delta=3)  # the corner under the pointer
            self.assertAlmostEqual(after[1], before[1], delta=3)
            before = after
        x, y = self.browser.middle("#compare canvas")
        self.browser.drag((x - 50, y + 20), (x - 80, y + 5))
        moved = self.assert_in_step()
        for i, by in enumerate([-30, -15, -30, -15]):
            self.assertAlmostEqual(moved[i] - before[i], by, delta=2)
        self.browser.key("0")
        self.assertAlmostEqual(self.assert_in_step()[0], 0, delta=1.5)
        self.browser.click("#one")
        self.assertEqual(self.assert_in_step(), [0, -20, 9, -11])
        self.assertEqual(self.texts("#zoom"), ["100 %"])

    def test_pixels_are_squares_when_zoomed_in(self):
        ppm(self.dir / "a/x.ppm", 60, 40, (0, 0, 0), (30, 20, 1, 1))
        ppm(self.dir / "b/x.ppm", 60, 40, (0, 0, 0))
        self.show(self.report()[0])
        self.browser.key("End")
        colours = self.browser.evaluate(
            f"[...new Set(new Uint32Array({self.PIXELS}(document.querySelector('#error canvas'), 0, 0).buffer))]"
            ".filter(v => v >>> 24 === 255).length")
        self.assertEqual(colours, 2)

    def test_the_error_map_shows_errors_and_nothing_else(self):
        self.pairs()
        ppm(self.dir / "a/tone.ppm", 64, 48, (100, 100, 100))
        ppm(self.dir / "b/tone.ppm", 64, 48, (100, 118, 100))  # a mean error of 6
        page, printed = self.report()
        places = {name: i for i, name in enumerate(printed)}
        self.show(page, places["same.png"])
        x, y = self.browser.middle("#error canvas")
        self.assertEqual(self.colour("error", x, y), [0, 0, 0])
        self.assertIsNone(self.lit("error"))
        self.assertFalse(self.browser.evaluate("document.querySelector('#equal').hidden"))
        self.choose(places["strong.png"])
        self.assertTrue(self.browser.evaluate("document.querySelector('#equal').hidden"))
        self.assertIsNotNone(self.lit("error"))
        self.choose(places["tone.ppm"])
        ramp = []
        for gain in range(0, 7):
            self.browser.evaluate(f"(g => {{ g.value = {gain}; g.dispatchEvent(new Event('input')); }})"
                                  "(document.querySelector('#gain'))")
            ramp.append(sum(self.colour("error", x, y)))
        self.assertEqual(ramp, sorted(set(ramp)))  # each step of the gain is brighter
        self.assertEqual(self.texts("#ramp-end"), ["4"])
        self.browser.mouse("mouseMoved", x, y)
        self.assertRegex(self.texts("#pixel")[0], r"100 100 100 +100 118 100 +Δ\s+6\.0$")

    def test_arrows_choose_pictures_in_the_order_shown(self):
        self.pairs()
        self.show(self.report()[0])
        names = self.sort(0)
        self.choose(0)
        at = names.index(list(self.table())[names.index("mild.png")])
        self.browser.key("ArrowDown")
        self.assertEqual(self.texts("#name"), [names[min(at + 1, 3)]])

    def test_without_references_there_is_one_picture(self):
        self.pairs()
        self.show(self.edited(self.report()[0], lambda head, rows: head.update(side_b="")), 3)
        for selector in ["#handle", "#error", "#side-b", "#gain", "#layout"]:
            self.assertEqual(self.browser.box(selector)[2], 0, selector)
        self.assertIsNotNone(self.lit("compare"))

    def test_a_large_picture_says_how_it_is_stored(self):
        for side in "ab":
            ppm(self.dir / f"{side}/x.ppm", 2100, 1000, (9, 99, 199))
        self.show(self.report(metrics="psnr")[0])
        self.assertIn("stored as JPEG", self.texts("#note")[0])

    def test_the_table_reads_on_a_telephone_and_in_print(self):
        self.pairs()
        self.show(self.report()[0])
        self.addCleanup(self.browser.prefer)
        self.addCleanup(self.browser.resize, 1360, 900)
        for media, width in [("", 400), ("print", 700)]:
            self.browser.prefer(media=media)
            self.browser.resize(width, 900)
            self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), width)
            self.assertGreater(self.browser.box("tbody tr")[2], 300)


if __name__ == "__main__":
    unittest.main()
