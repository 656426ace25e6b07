"""Help, versions, usage errors, man pages and completions of every program."""

import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

from harness import PROGRAMS, ROOT, SUBCOMMANDS, Case, needs, run


def value_of(word):
    """Without the option that shells repeat before it: --model=."""
    return re.sub("^--[a-z-]+=", "", word)


class Options(Case):
    def test_help_goes_to_stdout_and_ends_well(self):
        for program in PROGRAMS:
            result = self.succeed(program, "--help")
            self.assertIn(f"Usage: {program}".encode(), result.stdout)
            self.assertEqual(result.stderr, b"")

    def test_one_version(self):
        version = self.succeed("sr-upscale", "--version").stdout.decode().split()[-1]
        self.assertIn(f"\nversion: {version}\n", (ROOT / "CITATION.cff").read_text())
        self.assertIn(f"\n## {version} ", (ROOT / "CHANGELOG.md").read_text())

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
        with open("/dev/full", "wb") as full:
            self.assertNotEqual(run(ROOT / "scripts/fetch-weights", "--list", stdout=full).returncode, 0)

    def test_wrong_usage_is_status_2_in_one_line(self):
        for program in PROGRAMS:
            for arguments in [["--no-such-option"], ["--threads", "many"], ["--config", "/no/such.toml"], []]:
                result = run(program, *arguments)
                self.assertEqual(result.returncode, 2, arguments)
                self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)
        self.fail_with(2, "none of auto|8|16|float", "sr-upscale", "--depth", "9", "x.png", "-o", "y.png")
        for option in ["--depth", "--scale", "--tile", "--no\nsuch"]:
            result = self.fail_with(2, r"\n", "sr-upscale", option, "1\n2", "x.png", "-o", "y.png")
            self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)

    def test_values_are_not_empty_and_options_not_alone(self):
        for program, *given in [("sr-upscale", "--preview", ""), ("sr-degrade", "--contact-sheet", ""),
                                ("sr-upscale", "--shard", ""), ("sr-metrics", "--report", "")]:
            self.fail_with(2, f"{given[0]}: its value is empty", program, *given, self.crop("a.png"), "-o", self.dir / "b.png")
        for option, other in [(["-0"], "--files-from"), (["--denoise-model", "compact-x4"], "--denoise")]:
            self.fail_with(2, f"requires {other}", "sr-upscale", *option, self.crop("a.png"), "-o", self.dir / "b.png")
        self.fail_with(2, "has no network", "sr-upscale", "--summary", "-m", "bicubic")
        self.fail_with(2, "'nan' is not between", "sr-diffuse", "--guidance", "nan", "x.png", "-o", "y.png")
        for command in [["sr-degrade"], ["sr-iqa", "tsne"], ["sr-metrics", "study"]]:
            self.fail_with(2, "not in range 0 to 9007199254740992", *command, "--seed", "-1")

    def test_a_command_comes_first(self):
        for program, command in SUBCOMMANDS:
            self.fail_with(2, f"{command}: the command must come first: {program} {command} ...", program, "-v", command,
                           cwd=self.dir)

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


class Completions(Case):
    """What is offered for values: names of models, presets, measures and formats, and files of the right types."""

    MODELS = ["realesr-general-x4v3", "realesr-general-wdn-x4v3"]
    # {what stands on the line: what is offered for its last word}
    OFFERED = {
        "sr-upscale -m realesr-g": MODELS,
        "sr-upscale --model bic": ["bicubic"],
        "sr-upscale --model=realesr-g": MODELS,
        "sr-upscale --depth=": ["auto", "8", "16", "float"],
        "sr-upscale --format av": ["avif"],
        "sr-upscale --shard s": ["slurm"],
        "sr-degrade -m b": ["bicubic", "bsrgan"],
        "sr-train gan --config sed-p-s": ["sed-p-swinir"],
        "sr-train psnr --config srv": ["srvgg"],
        "sr-train dape --config ": ["dape"],
        "sr-tag -m ": ["ram", "dape"],
        "sr-diffuse --sd sd": ["sd-turbo"],
        "sr-iqa -m niqe,clip": ["niqe,clipiqa", "niqe,clipiqa-five"],
        "sr-metrics --metrics psnr,fi": ["psnr,fid"],
        "sr-iqa corr": ["correlate"],
    }
    FILES = {"sr-upscale -m ": ["a file.pth", "b.safetensors"], "sr-train psnr --config ": ["d.toml"],
             "sr-upscale --config ": ["d.toml"], "sr-iqa --report ": ["e.html"]}

    def bash(self, line):
        words = [word for word in re.split(" |(=)", line) if word is not None]  # as bash parts a line
        if words[-2:] == ["=", ""]:
            words.pop()
        program = words[0]
        quoted = " ".join(f"'{word}'" for word in words)
        script = (f"source {ROOT}/completions/bash/{program}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
                  f"_{program.replace('-', '_')} 2>/dev/null; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
        result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, cwd=self.dir)
        return result.stdout.split("\n")[:-1]

    def fish(self, line):
        script = f"source {ROOT}/completions/fish/{line.split()[0]}.fish; complete -C '{line}'"
        result = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, check=True,
                                cwd=self.dir)
        return [value_of(line.split("\t")[0]) for line in result.stdout.splitlines()]

    # In a terminal: each line in turn is completed with all that fits, and what it is then is written down.
    ZSH = """exec 2>{0}/errors; fpath=({1}/completions/zsh $fpath); autoload -Uz compinit; compinit -D -u
        insert_all() {{ compstate[insert]=all; compstate[list]=; }}
        zle-line-init() {{
          for BUFFER in "${{(@f)$(<{0}/lines)}}"; do
            CURSOR=$#BUFFER; comppostfuncs=(insert_all); zle complete-word; print -r -- $BUFFER >>{0}/completed
          done
          exit
        }}
        zle -N zle-line-init
    """

    def zsh(self, *lines):
        """What zsh offers for the last word of each."""
        with tempfile.TemporaryDirectory() as name:
            state = pathlib.Path(name)
            (state / "setup").write_text(self.ZSH.format(state, ROOT))
            (state / "lines").write_text("\n".join(lines))
            subprocess.run(["script", "-qec", "zsh -f -i", "/dev/null"], input=f" . {state}/setup\n".encode(), cwd=self.dir,
                           stdout=subprocess.DEVNULL, timeout=120, check=False)
            self.assertEqual((state / "errors").read_text(), "")
            completed = (state / "completed").read_text().splitlines()
        return [[value_of(word).rstrip(",") for word in shlex.split(done)[line.count(" "):]]
                for line, done in zip(lines, completed, strict=True)]

    def test_bash_offers_names(self):
        for line, names in self.OFFERED.items():
            self.assertEqual(sorted(self.bash(line)), sorted(names), line)

    def test_fish_offers_names(self):
        for line, names in self.OFFERED.items():
            self.assertEqual(sorted(self.fish(line)), sorted(names), line)

    @needs("zsh")
    def test_zsh_offers_names(self):
        for line, names, offered in zip(self.OFFERED, self.OFFERED.values(), self.zsh(*self.OFFERED), strict=True):
            self.assertEqual(sorted(offered), sorted(names), line)

    def test_bash_offers_no_options_after_two_dashes(self):
        self.assertEqual(self.bash("sr-upscale -- -"), [""])

    def test_files_are_of_the_right_types(self):
        self.make_files()
        for line, right in self.FILES.items():
            offered = self.bash(line)
            self.assertEqual([name for name in offered if name in set(self.names())], right, line)
            self.assertIn("folder", offered)
        # fish lists what fits before the rest
        first = [name for name in self.fish("sr-iqa --report ") if name.strip("'") in self.names()][0]
        self.assertEqual(first, "e.html")

    @needs("zsh")
    def test_zsh_offers_files_of_the_right_types(self):
        self.make_files()
        files = {**self.FILES, "sr-upscale --files-from ": self.names(), "sr-diffuse --sd ": []}
        for (line, right), offered in zip(files.items(), self.zsh(*files), strict=True):
            self.assertEqual([name for name in offered if name in set(self.names())], right, line)
            self.assertIn("folder", [name.rstrip("/") for name in offered])

    def make_files(self):
        for name in ["a file.pth", "b.safetensors", "c.txt", "d.toml", "e.html"]:
            (self.dir / name).touch()
        (self.dir / "folder").mkdir()

    def names(self):
        return sorted(path.name for path in self.dir.iterdir() if path.is_file())


if __name__ == "__main__":
    unittest.main()
