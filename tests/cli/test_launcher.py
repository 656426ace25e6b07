"""What stands before the programs: the same answers as theirs, without their libraries, and nothing else of its own."""

import os
import signal
import subprocess
import unittest

from harness import BIN, PROGRAMS, SAMPLES, SUBCOMMANDS, Case, run

COMMON = [["--help"], ["-h"], ["--version"], ["--print-man"]]
SHELLS = [["--print-completion", shell] for shell in ["bash", "zsh", "fish"]]


def questions():
    """Every invocation that the launcher answers by itself."""
    for program in PROGRAMS:
        yield from ([program, *arguments] for arguments in COMMON + SHELLS)
    for program, command in SUBCOMMANDS:
        yield from ([program, command, *arguments] for arguments in COMMON)


@unittest.skipUnless((BIN / "libexec").is_dir(), f"no launchers: {BIN} holds the programs themselves")
class Launcher(Case):
    def behind(self, program, *arguments, **options):
        """The program itself."""
        return run(BIN / "libexec" / program, *arguments, **options)

    def test_answers_are_the_programs_own(self):
        for program, *arguments in questions():
            given, own = run(program, *arguments), self.behind(program, *arguments)
            self.assertTrue(own.stdout, arguments)
            self.assertEqual((given.returncode, given.stdout, given.stderr),
                             (own.returncode, own.stdout, own.stderr), [program, *arguments])

    def test_answers_need_none_of_the_programs_libraries(self):
        for program in PROGRAMS:
            libraries = subprocess.run(["ldd", BIN / program], capture_output=True, text=True, check=True).stdout
            self.assertLess(libraries.count("=>"), 8, libraries)
            self.assertNotIn("libtorch", libraries)

    def test_answers_need_no_program(self):
        lonely = self.dir / "sr-tag"
        lonely.write_bytes((BIN / "sr-tag").read_bytes())
        lonely.chmod(0o755)
        for arguments in (arguments for program, *arguments in questions() if program == "sr-tag"):
            self.assertEqual(run(lonely, *arguments).returncode, 0, arguments)
        result = run(lonely, "photo.jpg")
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr.decode(), r"^sr-tag: error: .*/sr-tools/sr-tag: No such file or directory\n$")
        (self.dir / "libexec/sr-tag").mkdir(parents=True)
        self.assertEqual(run(lonely, "photo.jpg").stderr.decode(),
                         f"sr-tag: error: {lonely.resolve().parent}/libexec/sr-tag: Permission denied\n")

    def test_everything_else_goes_to_the_program(self):
        for arguments in [["--version", "-v"], ["--help", "--no-such-option"], ["--print-completion=fish"],
                          ["--print-completion", "csh"], ["--print-completion\tbash"], [], ["", "--help"]]:
            given, own = run("sr-upscale", *arguments), self.behind("sr-upscale", *arguments)
            self.assertEqual((given.returncode, given.stdout, given.stderr),
                             (own.returncode, own.stdout, own.stderr), arguments)
        # the process is the same one, so signals and standard streams reach the program
        child = subprocess.Popen([BIN / "sr-upscale", "-", "-o", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        child.send_signal(signal.SIGTERM)
        child.communicate()
        self.assertEqual(child.returncode, -signal.SIGTERM)

    def test_what_cannot_be_written_fails_as_the_program_does(self):
        for program in ["sr-upscale", "sr-train"]:
            for file in [BIN / program, BIN / "libexec" / program]:
                with open("/dev/full", "wb") as full:
                    result = run(file, "--help", stdout=full)
                self.assertEqual((result.returncode, result.stderr),
                                 (1, f"{program}: error: standard output: No space left on device\n".encode()))
                line = f"(sleep 0.2; exec {file} --print-completion zsh) | true; exit ${{PIPESTATUS[0]}}"
                self.assertEqual(subprocess.run(["bash", "-c", line], check=False).returncode, 128 + signal.SIGPIPE)

    def test_it_is_found_by_links_and_by_PATH(self):
        link = self.dir / "upscale"
        link.symlink_to((BIN / "sr-upscale").resolve())
        result = self.succeed(link, SAMPLES / "chelsea.png", "-m", "bicubic", "--scale", "0.1", "-o", self.dir / "a.png")
        self.assertEqual(result.stderr, b"")
        found = subprocess.run(["sr-upscale", "--no-such-option"], capture_output=True, check=False,
                               env={**os.environ, "PATH": f"{BIN.resolve()}:{os.environ['PATH']}"})
        self.assertEqual(found.returncode, 2)


if __name__ == "__main__":
    unittest.main()
