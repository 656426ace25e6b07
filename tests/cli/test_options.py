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


class Completions(Case):
    """What is offered for values: names of models, presets, measures and formats, and files of the right types."""

    MODELS = ["realesr-general-x4v3", "realesr-general-wdn-x4v3"]
    # {what stands on the line: what is offered for its last word}
    OFFERED = {
        "sr-upscale -m realesr-g": MODELS,
        "sr-upscale --model bic": ["bicubic"],
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
    }

    def bash(self, line):
        words = line.split(" ")
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
        return [line.split("\t")[0] for line in result.stdout.splitlines()]

    def zsh(self, program, option, *command):
        """What zsh's own functions are asked for as the option's value."""
        script = (
            'offer() { print -rl -- "$@"; }; _values() { offer "${@:4}"; }; _files() { offer "files${*:+ }$*"; };'
            '_alternative() { for one; do ask "${one#*:*:}"; done; };'
            'ask() { local action=$1; case $action in ("{"*) eval "${${action#\\{}%\\}}" ;; ("("*) eval "offer $action[2,-2]" ;;'
            '  (*) eval "$action" ;; esac; };'
            f'_arguments() {{ for one; do if [[ $one == *{option}"["* ]]; then ask "${{${{one##*\\]:}}#*:}}"; fi; done; }};'
            f"words=({program} {' '.join(command)} {option} ''); CURRENT=$#words; source {ROOT}/completions/zsh/_{program}")
        result = subprocess.run(["zsh", "-f", "-c", script], capture_output=True, text=True, check=True, cwd=self.dir)
        return result.stdout.splitlines()

    def test_bash_offers_names(self):
        for line, names in self.OFFERED.items():
            self.assertEqual(sorted(self.bash(line)), sorted(names), line)

    def test_fish_offers_names(self):
        for line, names in self.OFFERED.items():
            self.assertEqual(sorted(self.fish(line)), sorted(names), line)

    def test_zsh_offers_names(self):
        for *words, option, names in [
            ("sr-upscale", "--model", self.MODELS + ["bicubic", "files -g *.(pth|pt|safetensors)"]),
            ("sr-upscale", "--format", ["png", "avif"]), ("sr-degrade", "-m", ["bicubic", "bsrgan", "files -g *.(toml)"]),
            ("sr-train", "gan", "--config", ["sed-p", "files -g *.(toml)"]), ("sr-iqa", "-m", ["niqe", "clipiqa"]),
            ("sr-metrics", "--report", ["files -g *.(html)"]), ("sr-diffuse", "--sd", ["sd-turbo", "files -/"]),
        ]:
            offered = self.zsh(words[0], option, *words[1:])
            self.assertLessEqual(set(names), set(offered), words)
        self.assertNotIn("srvgg", self.zsh("sr-train", "--config", "gan"))
        self.assertEqual(self.zsh("sr-upscale", "--files-from"), ["files"])

    def test_files_are_of_the_right_types(self):
        for name in ["a file.pth", "b.safetensors", "c.txt", "d.toml", "e.html"]:
            (self.dir / name).touch()
        (self.dir / "folder").mkdir()
        files = {"sr-upscale -m ": ["a file.pth", "b.safetensors"], "sr-train psnr --config ": ["d.toml"],
                 "sr-upscale --config ": ["d.toml"], "sr-iqa --report ": ["e.html"]}
        for line, right in files.items():
            offered = self.bash(line)
            self.assertEqual([name for name in offered if name in set(self.names())], sorted(right), line)
            self.assertIn("folder", offered)
        # fish lists what fits before the rest
        first = [name for name in self.fish("sr-iqa --report ") if name.strip("'") in self.names()][0]
        self.assertEqual(first, "e.html")

    def names(self):
        return sorted(path.name for path in self.dir.iterdir() if path.is_file())


if __name__ == "__main__":
    unittest.main()
