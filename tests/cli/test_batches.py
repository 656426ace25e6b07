"""Folders, lists, streams, failures, interrupts."""

import os
import pathlib
import signal
import subprocess
import time
import unittest

from harness import BIN, SAMPLES, Case, pixels, run, shell, size, vips


class Batches(Case):
    def names(self, folder="out"):
        return sorted(p.relative_to(self.dir / folder).as_posix() for p in (self.dir / folder).rglob("*") if p.is_file())

    def test_folder_in_its_own_formats(self):
        for name in ["a.png", "b.JPG", "sub/c.webp", "d.bmp"]:
            self.crop(f"in/{name}")
        (self.dir / "in/notes.txt").write_text("no picture")
        (self.dir / "in/.hidden.png").write_bytes(b"")
        result = self.succeed("sr-upscale", self.dir / "in", "-o", self.dir / "out/")
        self.assertEqual(self.names(), ["a.png", "b.JPG", "d.png"])
        self.assertIn(b"notes.txt: not a picture, passed over", result.stderr)
        self.succeed("sr-upscale", "-r", self.dir / "in", "-o", self.dir / "out", "--format", "jpg", "-q")
        self.assertIn("sub/c.jpg", self.names())

    def test_results_go_to_where_one_is(self):
        self.crop("in/a.png")
        self.crop("in/b.png")
        (self.dir / "below").mkdir()
        for place, given, target in [(".", "in/a.png", "./big.png"), (".", "in", "."), (".", "in", "./"),
                                     ("below", "../in", "..")]:
            for program, *options in [("sr-upscale", "-m", "bicubic"), ("sr-degrade",)]:
                self.succeed(program, *options, given, "-o", target, cwd=self.dir / place)
        self.assertEqual(self.names("."), ["a.png", "b.png", "big.png", "in/a.png", "in/b.png"])
        self.fail_with(2, "big.png: Not a folder", "sr-upscale", "in/a.png", "-o", "big.png/", cwd=self.dir)

    def test_lists_and_shards(self):
        paths = [self.crop(f"{i}.png") for i in range(5)]
        listed = "\0".join(map(str, paths)).encode()
        for shard, expected in [("1/2", ["0.png", "2.png", "4.png"]), ("2/2", ["1.png", "3.png"])]:
            out = self.dir / shard.replace("/", "of")
            self.succeed("sr-upscale", "--files-from", "-", "-0", "--shard", shard, "-o", f"{out}/", input=listed)
            self.assertEqual(sorted(p.name for p in out.iterdir()), expected)
        self.fail_with(2, "is not I/N", "sr-upscale", "--shard", "3/2", paths[0], "-o", self.dir / "x.png")

    def test_good_files_survive_bad_ones(self):
        for i in range(5):
            self.crop(f"in/good{i}.png")
        whole = self.crop("in/cut.jpg", 120, 100).read_bytes()
        (self.dir / "in/cut.jpg").write_bytes(whole[:len(whole) // 2])
        (self.dir / "in/empty.png").write_bytes(b"")
        (self.dir / "in/text.png").write_text("this is no picture\n")
        self.crop("in/one.png", 1, 1)
        vips("icc_export", self.crop("rgb.png"), self.dir / "cmyk.tif", "--output-profile", "cmyk")
        vips("copy", self.dir / "cmyk.tif", self.dir / "in/cmyk.jpg")
        (self.dir / "in/good0.png").rename(self.dir / "in/new\nline.png")
        (self.dir / "in/good1.png").rename(self.dir / "in/größe.png")
        result = run("sr-upscale", self.dir / "in", "-o", self.dir / "out/")
        self.assertEqual(result.returncode, 1)
        for name in ["cut.jpg", "empty.png", "text.png"]:
            self.assertEqual(result.stderr.count(f"in/{name}: ".encode()), 1, result.stderr)
        self.assertEqual(result.stderr.count(b"\n"), 3, result.stderr)
        self.assertEqual(self.names(), sorted(["good2.png", "good3.png", "good4.png", "one.png", "cmyk.jpg",
                                               "new\nline.png", "größe.png"]))

    def test_missing_input_is_named_and_the_rest_is_done(self):
        self.fail_with(1, "nowhere.png: No such file", "sr-upscale", self.dir / "nowhere.png", self.crop("a.png"), "-o",
                       self.dir / "out/")
        self.assertEqual(self.names(), ["a.png"])

    def test_plans_that_lose_something_are_refused(self):
        a, b = self.crop("a.png"), self.crop("sub/a.png")
        self.fail_with(2, "would both be written", "sr-upscale", a, b, "-o", self.dir / "out/")
        self.fail_with(2, "would be overwritten by a result", "sr-upscale", a, "-o", a)
        self.fail_with(2, "named like a file", "sr-upscale", a, self.dir / "sub", "-o", self.dir / "out.png")
        self.fail_with(2, "standard output takes one", "sr-upscale", a, b, "-o", "-")
        self.fail_with(2, "no known extension", "sr-upscale", a, "-o", self.dir / "out.xyz")
        self.fail_with(2, "no output", "sr-upscale", a)

    def test_plans_hold_for_every_shard(self):
        a, b = self.crop("k.png"), self.crop("k.jpg")
        for shard in ["1/2", "2/2"]:
            self.fail_with(2, "would both be written", "sr-upscale", "--shard", shard, "--format", "png", a, b, "-o",
                           self.dir / "out")
        self.fail_with(2, "jpg does not hold --depth 16", "sr-upscale", "--depth", "16", a, b, "-o", f"{self.dir}/new/")
        self.assertFalse((self.dir / "new").exists())

    def test_results_are_no_inputs_and_links_no_folders(self):
        self.crop("in/a.png")
        os.symlink(".", self.dir / "in/loop")
        for _ in range(2):
            self.succeed("sr-upscale", "-r", self.dir / "in", "-o", self.dir / "in/big")
        self.assertEqual(self.names("in/big"), ["a.png"])

    def test_links_are_followed_modes_kept_and_devices_written_to(self):
        picture, target = self.crop("a.png"), self.crop("target.png")
        target.chmod(0o600)
        os.symlink("target.png", self.dir / "link.png")
        self.succeed("sr-upscale", picture, "-o", self.dir / "link.png")
        self.assertTrue((self.dir / "link.png").is_symlink())
        self.assertEqual((size(target), target.stat().st_mode & 0o777), ((160, 120), 0o600))
        self.succeed("sr-upscale", picture, "-o", "/dev/null", "--format", "png")
        self.assertTrue(pathlib.Path("/dev/null").is_char_device())

    def test_names_in_brackets(self):
        self.crop("a.png").rename(self.dir / "[a,b]")
        self.succeed("sr-upscale", "[a,b]", "-o", "out.png", cwd=self.dir)
        self.assertEqual(size(self.dir / "out.png"), (160, 120))

    def test_what_cannot_start_is_status_2(self):
        picture = self.crop("a.png")
        (self.dir / "g.pth").write_text("<html>404</html>")
        self.fail_with(2, "g.pth", "sr-upscale", "-m", self.dir / "g.pth", picture, "-o", self.dir / "x.png")
        self.fail_with(2, "No such file", "sr-upscale", "--files-from", self.dir / "none", "-o", self.dir / "x.png")
        self.fail_with(2, "neither auto nor a number", "sr-upscale", "--tile", "99999999999", picture, "-o", self.dir / "x.png")
        self.fail_with(2, "is not between", "sr-upscale", "--scale", "nan", picture, "-o", self.dir / "x.png")
        self.fail_with(2, "fp16", "sr-upscale", "--device", "cpu", "--precision", "fp16", picture, "-o", self.dir / "x.png")

    def test_an_interrupt_ends_waiting_for_a_pipe(self):
        reader, writer = os.pipe()
        process = subprocess.Popen([BIN / "sr-upscale", "-", "-o", self.dir / "x.png"], stdin=reader)
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=30), -signal.SIGTERM)
        os.close(writer)
        os.close(reader)
        self.assertEqual(list(self.dir.iterdir()), [])

    def test_closed_streams(self):
        picture = self.crop("a.png")
        for line, status, text in [("sr-upscale - -o x.png <&-", 1, "standard input"),
                                   ("sr-upscale nowhere.png -o x.png 2>&-", 1, ""),
                                   (f"sr-upscale {picture} -o - >&-", 1, "standard output"),
                                   (f"sr-upscale {picture} -o - --format tiff | vipsheader stdin", 0, "")]:
            result = shell(line, cwd=self.dir)
            self.assertEqual(result.returncode, status, line)
            self.assertIn(text, result.stderr.decode())

    def test_interrupt_leaves_whole_files_and_skip_existing_finishes(self):
        for i in range(40):
            self.crop(f"in/{i:02}.png", 120, 100)
        command = [str(BIN / "sr-upscale"), str(self.dir / "in"), "-o", f"{self.dir}/out/", "--precision", "fp32"]
        for stop in [signal.SIGINT, signal.SIGTERM]:
            process = subprocess.Popen(command + ["--skip-existing"], stderr=subprocess.DEVNULL)
            before = len(self.names()) if (self.dir / "out").exists() else 0
            while process.poll() is None and (not (self.dir / "out").exists() or len(self.names()) < before + 3):
                time.sleep(0.01)
            process.send_signal(stop)
            self.assertEqual(process.wait(), -stop)
            self.assertLess(len(self.names()), 40)
            for name in self.names():
                self.assertFalse(name.startswith("."), name)
                self.assertEqual(size(self.dir / "out" / name), (480, 400))
                self.assertEqual(len(pixels(self.dir / "out" / name)[0]), 480 * 400 * 3)
        stamps = {name: os.stat(self.dir / "out" / name).st_mtime_ns for name in self.names()}
        self.succeed(*command, "--skip-existing")
        self.assertEqual(len(self.names()), 40)
        for name, stamp in stamps.items():
            self.assertEqual(os.stat(self.dir / "out" / name).st_mtime_ns, stamp)

    def test_jobs_and_threads_do_not_change_bytes(self):
        for i in range(4):
            self.crop(f"in/{i}.png", 50 + i, 40)
        for options in [["--jobs", "1", "--threads", "1"], ["--jobs", "4", "--threads", "2"]]:
            self.succeed("sr-upscale", self.dir / "in", "-o", self.dir / options[1], *options)
        for i in range(4):
            self.assertEqual((self.dir / f"1/{i}.png").read_bytes(), (self.dir / f"4/{i}.png").read_bytes())

    def test_pipeline(self):
        self.crop("a.jpg", 64, 48)
        vips("copy", self.dir / "a.jpg", self.dir / "a.png")
        result = shell("cat a.jpg | sr-upscale - -o - | sr-degrade -m bicubic -s 4 - -o - | sr-metrics -m psnr,ssim - a.png",
                       cwd=self.dir)
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.decode().splitlines()
        self.assertEqual(lines[0], "# protocol: rgb")
        self.assertEqual(lines[3], "file\tpsnr\tssim")
        self.assertGreater(float(lines[4].split("\t")[1]), 30)

    def test_streams_end_as_streams_do(self):
        result = shell(f"sr-upscale {SAMPLES}/coffee.png -o - --format ppm | head -c 10", cwd=self.dir)
        self.assertIn(result.returncode, [0, 141])
        self.assertEqual(result.stderr, b"")
        with open("/dev/full", "wb") as full:
            self.fail_with(1, "standard output: No space left on device", "sr-upscale", self.crop("a.png"), "-o", "-",
                           stdout=full)
        self.fail_with(1, "standard input", "sr-upscale", "-", "-o", self.dir / "x.png", input=b"no picture at all")
        self.fail_with(1, "standard input", "sr-upscale", "-", "-o", self.dir / "x.png", input=b"")

    def test_progress_on_demand(self):
        result = self.succeed("sr-upscale", "--progress", "always", *[self.crop(f"{i}.png", 150, 100) for i in range(3)],
                              "-o", self.dir / "out/", "--precision", "fp32")
        self.assertIn(b"ETA", result.stderr)
        self.assertNotIn(b"ETA", self.succeed("sr-upscale", self.dir / "0.png", "-o", self.dir / "x.png").stderr)

    def test_models_are_looked_for(self):
        result = self.fail_with(2, "scripts/fetch-weights RealESRGAN_x4plus", "sr-upscale", "-m", "RealESRGAN_x4plus",
                                "--weights", self.dir, self.crop("a.png"), "-o", self.dir / "x.png",
                                env={**os.environ, "XDG_DATA_HOME": str(self.dir), "SR_WEIGHTS": ""})
        self.assertIn(str(self.dir).encode(), result.stderr)
        self.fail_with(2, "no-such-model", "sr-upscale", "-m", "no-such-model", self.dir / "a.png", "-o", self.dir / "x.png")

    def test_summary(self):
        row = self.succeed("sr-upscale", "--summary").stdout.decode().splitlines()[-1].split("\t")
        self.assertEqual(row[:3], ["SRVGGNetCompact", "4", "621424"])
        self.assertEqual(row[4], "18")


if __name__ == "__main__":
    unittest.main()
