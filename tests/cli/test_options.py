"""Help, versions, usage errors, man pages and completions of every program."""

import subprocess
import unittest

from harness import PROGRAMS, ROOT, SUBCOMMANDS, Case, run


class Options(Case):
    def test_help_goes_to_stdout_and_ends_well(self):
        for program in PROGRAMS:
            result = self.succeed(program, "--help")
            self.assertIn(f"Usage: {program}".encode(), result.stdout)
            self.assertEqual(result.stderr, b"")

    def test_version_names_libraries_when_verbose(self):
        for program in PROGRAMS:
            self.assertRegex(self.succeed(program, "--version").stdout.decode(), rf"^{program} \(sr-tools\) \d+\.\d+\.\d+\n$")
        text = self.succeed("sr-upscale", "--version", "-v").stdout.decode()
        for name in ["LibTorch", "oneDNN", "libvips", "OpenBLAS", "threads", "CPU", "CUDA"]:
            self.assertIn(name, text)

    def test_full_disk_and_closed_stdout_are_errors(self):
        for program in PROGRAMS:
            with open("/dev/full", "wb") as full:
                self.fail_with(1, "No space left on device", program, "--help", stdout=full)
            closed = subprocess.run(["sh", "-c", f"{run.__globals__['BIN']}/{program} --help >&-"], capture_output=True)
            self.assertEqual(closed.returncode, 1)
            self.assertIn(b"standard output", closed.stderr)

    def test_wrong_usage_is_status_2_in_one_line(self):
        for program in PROGRAMS:
            for arguments in [["--no-such-option"], ["--threads", "many"], ["--config", "/no/such.toml"], []]:
                result = run(program, *arguments)
                self.assertEqual(result.returncode, 2, arguments)
                self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)
        self.fail_with(2, "none of auto|8|16|float", "sr-upscale", "--depth", "9", "x.png", "-o", "y.png")

    def test_config_file_gives_options_and_command_line_wins(self):
        picture = self.crop("a.png")
        (self.dir / "c.toml").write_text('scale = 2\ndepth = "16"\n')
        self.succeed("sr-upscale", "--config", self.dir / "c.toml", "--scale", "3", picture, "-o", self.dir / "b.png")
        from harness import header, size
        self.assertEqual(size(self.dir / "b.png"), (120, 90))
        self.assertEqual(header(self.dir / "b.png", "format"), "ushort")
        (self.dir / "bad.toml").write_text("no_such_option = 2\n")
        self.assertEqual(run("sr-upscale", "--config", self.dir / "bad.toml", picture, "-o", "x.png").returncode, 2)

    def test_man_pages_are_fresh_and_clean(self):
        for program in PROGRAMS:
            printed = self.succeed(program, "--print-man").stdout
            committed = ROOT / "man" / f"{program}.1"
            self.assertEqual(printed, committed.read_bytes(), f"stale: run scripts/update-docs")
            lint = subprocess.run(["mandoc", "-Tlint", "-W", "warning", str(committed)], capture_output=True, text=True)
            self.assertEqual(lint.stdout, "")

    def test_subcommands_have_help_and_man_pages_of_their_own(self):
        for program, command in SUBCOMMANDS:
            self.assertIn(f"  {command} ".encode(), self.succeed(program, "--help").stdout)
            self.assertIn(f"Usage: {program} {command}".encode(), self.succeed(program, command, "--help").stdout)
            printed = self.succeed(program, command, "--print-man").stdout
            committed = ROOT / "man" / f"{program}-{command}.1"
            self.assertEqual(printed, committed.read_bytes(), "stale: run scripts/update-docs")
            lint = subprocess.run(["mandoc", "-Tlint", "-W", "warning", str(committed)], capture_output=True, text=True)
            self.assertEqual(lint.stdout, "")
            for arguments in [["--no-such-option"], []]:
                self.fail_with(2, f"{program} {command}: error:", program, command, *arguments)

    def test_bash_completes_subcommands_and_their_options(self):
        script = ROOT / "completions/bash/sr-iqa"
        lines = "; ".join(f"COMP_WORDS=({words}); COMP_CWORD={at}; _sr_iqa 2>/dev/null; echo ${{COMPREPLY[@]}}"
                          for words, at in [("sr-iqa corr", 1), ("sr-iqa correlate --form", 2),
                                            ("sr-iqa correlate --format ''", 3), ("sr-iqa fit-niqe --vari", 2)])
        result = subprocess.run(["bash", "-c", f"source {script}; {lines}"], capture_output=True, text=True, check=True)
        self.assertEqual(result.stdout, "correlate\n--format\ntsv json md latex\n--variant\n")

    def test_fish_completes_subcommands_and_their_options(self):
        script = ROOT / "completions/fish/sr-iqa.fish"
        lines = f"source {script}; complete -C 'sr-iqa corr'; complete -C 'sr-iqa fit-niqe --vari'"
        result = subprocess.run(["fish", "--no-config", "-c", lines], capture_output=True, text=True, check=True)
        self.assertEqual([line.split("\t")[0] for line in result.stdout.splitlines()], ["correlate", "--variant"])

    def test_completions_are_fresh_and_parse(self):
        names = {"bash": "bash/{}", "zsh": "zsh/_{}", "fish": "fish/{}.fish"}
        for program in PROGRAMS:
            for shell, name in names.items():
                printed = self.succeed(program, "--print-completion", shell).stdout
                committed = ROOT / "completions" / name.format(program)
                self.assertEqual(printed, committed.read_bytes(), "stale: run scripts/update-docs")
                subprocess.run([shell, "-n", str(committed)], check=True)

    def test_bash_completes_names_and_values(self):
        script = ROOT / "completions/bash/sr-upscale"
        line = (f"source {script}; COMP_WORDS=(sr-upscale --depth ''); COMP_CWORD=2; _sr_upscale 2>/dev/null; "
                "echo ${COMPREPLY[@]}; COMP_WORDS=(sr-upscale --skip); COMP_CWORD=1; _sr_upscale 2>/dev/null; "
                "echo ${COMPREPLY[@]}")
        result = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
        self.assertEqual(result.stdout, "auto 8 16 float\n--skip-existing\n")


if __name__ == "__main__":
    unittest.main()
