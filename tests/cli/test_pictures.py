"""Formats, depths, colours, transparency and metadata through sr-upscale."""

import unittest

from harness import SAMPLES, Case, header, pixels, size, vips, with_exif


class Pictures(Case):
    def upscale(self, picture, name="out.png", *options):
        out = self.dir / name
        self.succeed("sr-upscale", *options, picture, "-o", out)
        return out

    def test_every_format_goes_in_and_out(self):
        for extension in ["png", "jpg", "webp", "tif", "ppm", "jxl", "avif"]:
            with self.subTest(extension):
                out = self.upscale(self.crop(f"a.{extension}"), f"big.{extension}")
                self.assertEqual(size(out), (160, 120))
                self.assertEqual(header(out, "bands"), "3")

    def test_read_only_formats(self):
        for extension in ["bmp", "gif"]:
            with self.subTest(extension):
                self.assertEqual(size(self.upscale(self.crop(f"a.{extension}"), "out.png")), (160, 120))

    def test_format_is_told_by_content(self):
        picture = self.crop("a.jpg")
        renamed = picture.rename(self.dir / "a.png")
        self.assertEqual(size(self.upscale(renamed)), (160, 120))

    def test_depths_are_kept(self):
        vips("linear", self.crop("a.png"), self.dir / "a16.v", 257, 0)
        vips("cast", self.dir / "a16.v", self.dir / "a16u.v", "ushort")
        vips("copy", self.dir / "a16u.v", self.dir / "a16.png", "--interpretation", "rgb16")
        self.assertEqual(header(self.upscale(self.dir / "a16.png"), "format"), "ushort")
        self.assertEqual(header(self.upscale(self.dir / "a16.png", "o.jpg"), "format"), "uchar")
        self.assertEqual(header(self.upscale(self.dir / "a16.png", "o8.png", "--depth", "8"), "format"), "uchar")
        vips("colourspace", self.crop("a.png"), self.dir / "f.tif", "scrgb")
        out = self.upscale(self.dir / "f.tif", "f_out.tif")
        self.assertEqual(header(out, "format"), "float")
        self.assertLess(max(pixels(out)[0]), 1.5)
        self.fail_with(2, "jpg does not hold --depth 16", "sr-upscale", "--depth", "16", self.dir / "a16.png", "-o",
                       self.dir / "x.jpg")

    def test_float_result_is_that_of_8_bits(self):
        vips("colourspace", self.crop("a.png"), self.dir / "f.tif", "scrgb")
        vips("colourspace", self.upscale(self.dir / "f.tif", "f_out.tif"), self.dir / "f_srgb.png", "srgb")
        a, b = pixels(self.dir / "f_srgb.png")[0], pixels(self.upscale(self.dir / "a.png", "o.png"))[0]
        self.assertLessEqual(max(abs(x - y) for x, y in zip(a, b)), 2)

    def test_grey_stays_grey(self):
        vips("extract_band", self.crop("a.png"), self.dir / "g.png", 1)
        out = self.upscale(self.dir / "g.png")
        self.assertEqual((header(out, "bands"), size(out)), ("1", (160, 120)))

    def test_grey_with_alpha_in_16_bits(self):
        vips("extract_band", self.crop("a.png"), self.dir / "g.v", 1)
        vips("bandjoin_const", self.dir / "g.v", self.dir / "ga.v", 255)
        vips("linear", self.dir / "ga.v", self.dir / "ga16.v", 257, 0)
        vips("cast", self.dir / "ga16.v", self.dir / "ga16u.v", "ushort")
        vips("copy", self.dir / "ga16u.v", self.dir / "ga.png", "--interpretation", "grey16")
        out = self.upscale(self.dir / "ga.png")
        self.assertEqual((header(out, "bands"), header(out, "format")), ("2", "ushort"))
        self.assertEqual(set(pixels(out)[0][1::2]), {65535})

    def transparent(self):
        """Orange on the right, and on the left nothing, over black."""
        vips("black", self.dir / "left.v", 20, 30, "--bands", 4)
        vips("black", self.dir / "right.v", 20, 30, "--bands", 4)
        vips("linear", self.dir / "right.v", self.dir / "orange.v", "0 0 0 0", "255 128 0 255", "--uchar")
        vips("join", self.dir / "left.v", self.dir / "orange.v", self.dir / "both.v", "horizontal")
        vips("copy", self.dir / "both.v", self.dir / "alpha.png", "--interpretation", "srgb")
        return self.dir / "alpha.png"

    def test_transparency_has_no_dark_fringe(self):
        out = self.upscale(self.transparent())
        values, bands = pixels(out)
        self.assertEqual(bands, 4)
        seen = [values[i:i + 4] for i in range(0, len(values), 4) if values[i + 3] > 8]
        self.assertGreater(len(seen), 9000)
        self.assertTrue(any(p[3] < 247 for p in seen), "the edge is soft")
        for red, green, blue, _ in seen:
            self.assertTrue(red > 235 and 110 < green < 146 and blue < 20, (red, green, blue))

    def test_alpha_policies(self):
        picture = self.transparent()
        self.assertEqual(header(self.upscale(picture, "d.png", "--alpha", "drop"), "bands"), "3")
        values, bands = pixels(self.upscale(picture, "f.png", "--alpha", "flatten=#00ff00"))
        self.assertEqual(bands, 3)
        self.assertTrue(values[0] < 20 and values[1] > 235 and values[2] < 20, values[:3])
        result = self.succeed("sr-upscale", picture, "-o", self.dir / "w.jpg")
        self.assertIn(b"holds no transparency; laid over white", result.stderr)
        self.assertGreater(min(pixels(self.dir / "w.jpg")[0][:3]), 235)
        self.fail_with(2, "is no colour", "sr-upscale", "--alpha", "flatten=mauve", picture, "-o", self.dir / "x.png")

    def test_orientation_is_applied_once(self):
        picture = self.crop("a.jpg")
        upright = self.upscale(picture, "upright.png")
        for orientation, turned in [(6, (120, 160)), (3, (160, 120))]:
            picture.write_bytes(with_exif(self.crop("a.jpg").read_bytes(), orientation))
            out = self.upscale(picture, "turned.jpg")
            self.assertEqual(size(out), turned)
            self.assertIn(header(out, "orientation"), [None, "1"])
        self.assertEqual(size(upright), (160, 120))
        with open(picture, "rb") as jpeg:
            self.succeed("sr-upscale", "-", "-o", self.dir / "piped.png", stdin=jpeg)

    def test_metadata_is_kept_or_stripped(self):
        picture = self.crop("a.jpg")
        picture.write_bytes(with_exif(picture.read_bytes(), 1))
        kept = self.upscale(picture, "kept.jpg")
        self.assertIn("a description", header(kept, "exif-ifd0-ImageDescription"))
        self.assertTrue(header(kept, "exif-ifd2-PixelXDimension").startswith("160 "))
        self.assertIsNone(header(self.upscale(picture, "bare.jpg", "--metadata", "strip"), "exif-ifd0-ImageDescription"))

    def test_colours_go_out_with_an_srgb_profile(self):
        self.assertIsNotNone(header(self.upscale(self.crop("a.png")), "icc-profile-data"))

    def test_cmyk_comes_out_as_rgb(self):
        vips("icc_export", self.crop("a.png"), self.dir / "cmyk.tif", "--output-profile", "cmyk")
        vips("copy", self.dir / "cmyk.tif", self.dir / "cmyk.jpg[Q=95]")
        self.assertEqual(header(self.dir / "cmyk.jpg", "interpretation"), "cmyk")
        got = pixels(self.upscale(self.dir / "cmyk.jpg", "c.png"))[0]
        want = pixels(self.upscale(self.dir / "a.png", "o.png"))[0]
        self.assertLess(sum(abs(x - y) for x, y in zip(got, want)) / len(want), 12)

    def test_profile_is_converted(self):
        vips("icc_transform", self.crop("a.png"), self.dir / "p3.png", "p3")
        self.assertNotEqual(pixels(self.dir / "p3.png")[0], pixels(self.dir / "a.png")[0])
        got = pixels(self.upscale(self.dir / "p3.png", "c.png"))[0]
        want = pixels(self.upscale(self.dir / "a.png", "o.png"))[0]
        self.assertLess(sum(abs(x - y) for x, y in zip(got, want)) / len(want), 1.5)

    def test_transparency_survives_a_profile(self):
        vips("icc_export", self.crop("a.png"), self.dir / "p3.png", "--output-profile", "p3")
        vips("bandjoin_const", self.dir / "p3.png", self.dir / "p3a.png", 128)
        for depth, alpha in [("8", 128), ("16", 128 * 257)]:
            values, bands = pixels(self.upscale(self.dir / "p3a.png", "out.png", "--depth", depth))
            self.assertEqual((bands, set(values[3::4])), (4, {alpha}))

    def test_radiance_and_pfm_hold_linear_light(self):
        vips("copy", self.crop("a.png"), self.dir / "a.hdr")
        want = pixels(self.upscale(self.dir / "a.png", "o.png"))[0]
        got = pixels(self.upscale(self.dir / "a.hdr", "h.png", "--depth", "8"))[0]
        self.assertLess(sum(abs(x - y) for x, y in zip(got, want)) / len(want), 2)
        self.succeed("sr-degrade", "-s", "1", self.upscale(self.dir / "a.png", "o.pfm"), "-o", self.dir / "p.png", "--depth", "8")
        self.assertLessEqual(max(abs(x - y) for x, y in zip(pixels(self.dir / "p.png")[0], want)), 1)

    def test_broken_or_foreign_profiles_are_passed_over(self):
        vips("extract_band", self.crop("a.png"), self.dir / "g.png", 1)
        vips("icc_export", self.dir / "a.png", self.dir / "p3.png", "--output-profile", "p3")
        vips("copy", self.dir / "g.png", self.dir / "gp.jpg[profile=p3]")
        self.assertEqual(size(self.upscale(self.dir / "gp.jpg")), (160, 120))

    def test_palette_and_one_pixel(self):
        self.crop("a.png")
        vips("copy", self.dir / "a.png", self.dir / "palette.png[palette]")
        self.assertEqual(header(self.upscale(self.dir / "palette.png"), "bands"), "3")
        self.assertEqual(size(self.upscale(self.crop("one.png", 1, 1))), (4, 4))

    def test_save_options(self):
        picture = self.crop("a.png")
        small = self.upscale(picture, "s.jpg[Q=20]")
        self.assertLess((self.dir / "s.jpg").stat().st_size, self.upscale(picture, "l.jpg").stat().st_size)
        self.assertFalse(small.exists())

    def test_bombs_and_sizes_are_refused(self):
        self.fail_with(1, "220x160 is more than --max-pixels 1000", "sr-upscale", "--max-pixels", "1000",
                       SAMPLES / "chelsea.png", "-o", self.dir / "x.png")
        vips("black", self.dir / "long.png", 5000, 8)
        self.fail_with(1, "larger than webp can hold", "sr-upscale", self.dir / "long.png", "-o", self.dir / "x.webp")

    def test_tiles_are_as_the_whole(self):
        picture = SAMPLES / "chelsea.png"
        whole = pixels(self.upscale(picture, "whole.png", "--tile", "0", "--precision", "fp32"))[0]
        for tile in ["32", "50", "auto"]:
            tiled = pixels(self.upscale(picture, "tiled.png", "--tile", tile, "--precision", "fp32"))[0]
            self.assertLessEqual(max(abs(a - b) for a, b in zip(whole, tiled)), 1)

    def test_any_scale(self):
        for scale, expected in [("2", (80, 60)), ("3.5", (140, 105)), ("6", (240, 180))]:
            self.assertEqual(size(self.upscale(self.crop("a.png"), "s.png", "--scale", scale)), expected)

    def test_tta_differs_little(self):
        picture = self.crop("a.png")
        plain, tta = pixels(self.upscale(picture, "p.png"))[0], pixels(self.upscale(picture, "t.png", "--tta"))[0]
        difference = sum(abs(a - b) for a, b in zip(plain, tta)) / len(plain)
        self.assertTrue(0 < difference < 4, difference)


if __name__ == "__main__":
    unittest.main()
