"""sr-upscale --preview: the sheet, and the page in a browser."""

import unittest

from browser import CHROMIUM, MISSING, Browser
from harness import Case, pixels, size, tree, vips


class Preview(Case):
    def part(self, path, *rectangle):
        part = self.dir / "part.png"
        vips("crop", path, part, *rectangle)
        return pixels(part)[0]

    def top(self, sheet, picture, left):
        """The sheet's line where the picture begins over white, this far from the left; None where it isn't shown."""
        (samples, bands), width, across = pixels(picture), size(picture)[0], size(sheet)[0]
        colours = [round(255 - (255 - samples[i + (band if bands > 1 else 0)]) * (samples[i + 3] if bands == 4 else 255) / 255)
                   for i in range(0, len(samples), bands) for band in range(3)]
        wanted = [tuple(colours[i:i + 3 * width]) for i in range(0, len(colours), 3 * width)]
        shown = pixels(sheet)[0]
        lines = [shown[i:i + 3 * width] for i in range(3 * left, len(shown), 3 * across)]
        return next((y for y in range(len(lines)) if lines[y:y + len(wanted)] == wanted), None)

    def test_a_sheet_shows_the_middle_before_and_after(self):
        picture, sheet = self.scaled("a.png", 120, 110), self.dir / "sheet.png"
        for name, more in [("plain.png", []), ("shown.png", ["--preview", sheet]), ("bicubic.png", ["-m", "bicubic"])]:
            self.succeed("sr-upscale", picture, "-o", self.dir / name, *more)
        self.assertEqual((self.dir / "plain.png").read_bytes(), (self.dir / "shown.png").read_bytes())
        self.assertEqual(size(sheet)[0], 8 + 2 * (384 + 8))
        middle = (480 - 384) // 2, (440 - 384) // 2, 384, 384
        self.assertEqual(self.part(sheet, 8, 8, 384, 384), self.part(self.dir / "bicubic.png", *middle))
        self.assertEqual(self.part(sheet, 400, 8, 384, 384), self.part(self.dir / "plain.png", *middle))

    def test_a_folder_has_a_row_a_picture_and_at_most_sixteen(self):
        for i in range(17):
            self.crop(f"in/{i:02}.png", 20, 10 + i)
        self.crop("in/00.png", 30, 10)
        arguments = ["sr-upscale", self.dir / "in", "-o", self.dir / "out", "--preview", self.dir / "sheet.jpg"]
        (self.dir / "in/bad.png").write_text("this is no picture\n")
        self.fail_with(1, "bad.png", *arguments)
        (self.dir / "in/bad.png").unlink()
        width, height = size(self.dir / "sheet.jpg")
        self.assertEqual(width, 8 + 2 * (120 + 8))
        self.assertGreater(height, 8 + sum(4 * (10 + i) + 8 for i in range(16)))
        self.assertLess(height, 8 + sum(4 * (10 + i) + 8 + 24 for i in range(16)))
        (self.dir / "sheet.jpg").unlink()
        self.succeed(*arguments, "--skip-existing")  # what was there is shown as well
        self.assertEqual(size(self.dir / "sheet.jpg"), (width, height))

    def test_other_scales_greyness_and_transparency(self):
        grey, clear, sheet = self.dir / "grey.png", self.dir / "clear.png", self.dir / "sheet.png"
        vips("colourspace", self.crop("rgb.png"), grey, "b-w")
        vips("bandjoin_const", self.crop("rgb.png"), clear, "128")
        enlarge = ["sr-upscale", "--scale", "1.7", grey, clear]
        self.succeed(*enlarge, "-o", f"{self.dir}/out/", "--preview", sheet)
        self.succeed(*enlarge, "-o", f"{self.dir}/bicubic/", "-m", "bicubic", "--alpha", "flatten=white")
        width, height = size(self.dir / "out/grey.png")
        self.assertEqual(size(sheet)[0], 8 + 2 * (width + 8))
        tops = [self.top(sheet, self.dir / folder / name, left) for name in ["grey.png", "clear.png"]
                for folder, left in [("bicubic", 8), ("out", width + 16)]]
        self.assertEqual(tops[:2], [8, 8])
        self.assertGreater(tops[2], 8 + height)
        self.assertEqual(tops[2], tops[3])

    def test_what_a_preview_cannot_be(self):
        picture, out = self.crop("in/a.png"), self.dir / "out.png"
        for preview, text in [("look", "neither"), ("-", "neither"), ("look.htm", "FILE.html"), ("look.HTML", "FILE.html"),
                              (f"{self.dir}/s.png[bogus=1]", "no property named"),
                              (out, f"the result of {picture} and --preview would both be written to {out}"),
                              (picture, "would be overwritten"), (self.dir / "no/look.html", "No such file")]:
            self.fail_with(2, text, "sr-upscale", picture, "-o", out, "--preview", preview)
        look = self.dir / "look.html"
        self.fail_with(2, "-o -", "sr-upscale", picture, "-o", "-", "--preview", look)
        self.fail_with(2, "standard input", "sr-upscale", "-", "-o", out, "--preview", look)
        self.assertEqual(sorted(tree(self.dir)), ["in/a.png"])

    @unittest.skipUnless(CHROMIUM, MISSING)
    def test_a_page_has_a_slider_and_no_scores(self):
        self.scaled("in/a.png", 300, 100)
        self.crop("in/b.png", 40, 30)
        self.succeed("sr-upscale", self.dir / "in", "-o", self.dir / "out", "--preview", self.dir / "look.html")
        browser = Browser()
        self.addCleanup(browser.close)
        browser.open(self.dir / "look.html")
        browser.wait_for("document.querySelector('#stages').dataset.place === '0'")
        self.assertEqual(browser.evaluate("[...document.querySelectorAll('td.file')].map(e => e.textContent)"),
                         ["a.png", "b.png"])
        self.assertEqual(browser.evaluate("document.querySelector('#size').textContent"), "1024 × 400")
        self.assertEqual(browser.evaluate("document.querySelector('#side-b').textContent"), "compact-x4")
        for selector, shown in [("#handle", True), ("#error", False), ("td.bars", False)]:
            self.assertEqual(browser.box(selector)[2] > 0, shown, selector)
        browser.key("ArrowDown")
        browser.wait_for("document.querySelector('#stages').dataset.place === '1'")
        self.assertEqual(browser.errors, [])


if __name__ == "__main__":
    unittest.main()
