"""Large batches: --shard by hand and by Slurm's variables, and the recipes for several machines, with two workers."""

import concurrent.futures
import os
import shutil
import signal
import subprocess
import time
import unittest

from harness import BIN, ROOT, Case, needs, run, tree

RECIPES = ROOT / "share/recipes"
ARRAY = {"ID": "SLURM_ARRAY_TASK_ID", "MIN": "SLURM_ARRAY_TASK_MIN", "MAX": "SLURM_ARRAY_TASK_MAX",
         "STEP": "SLURM_ARRAY_TASK_STEP", "COUNT": "SLURM_ARRAY_TASK_COUNT", "PROCID": "SLURM_PROCID",
         "TASKS": "SLURM_STEP_NUM_TASKS", "CPUS": "SLURM_CPUS_PER_TASK", "NTASKS": "SLURM_NTASKS"}


def environment(**slurm):
    """Slurm's variables by short names, and the programs on the PATH."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    return {**clean, "PATH": f"{BIN}:{clean['PATH']}", **{ARRAY[name]: str(value) for name, value in slurm.items()}}


def two_machines(folder):
    """Variables for two machines that are this one, by a stand-in for ssh, which gives all behind the machine's name to a
    shell; and `hosts`, their list."""
    ssh = folder / "ssh"
    ssh.write_text('#!/bin/bash\nuntil [ "$1" = alpha ] || [ "$1" = beta ]; do shift; done\necho "$1" >>"$MACHINES"\n'
                   'shift\n[ "$1" != -- ] || shift\nexec bash -c "$*"\n')
    ssh.chmod(0o755)
    (folder / "hosts").write_text("alpha\nbeta\n")
    # a login shell that runs nothing: the recipe's jobs have a shell of their own
    return {**environment(), "SHELL": "/bin/false", "PARALLEL_SSH": str(ssh), "MACHINES": str(folder / "machines"),
            "PARALLEL_HOME": str(folder / "parallel")}


class Scale(Case):
    def setUp(self):
        super().setUp()
        for number in range(7):
            self.crop(f"in/{number}.png", 120, 104)
        (self.dir / "in/sub dir").mkdir()
        self.crop("in/sub dir/it's.png", 120, 104)
        self.command = ["sr-degrade", "-r", "in", "-o", "out/", "--skip-existing", "--threads", "1", "-m", "bsrgan"]
        self.succeed("sr-degrade", "-r", "in", "-o", "whole/", "-m", "bsrgan", cwd=self.dir)
        self.whole = tree(self.dir / "whole")
        self.assertEqual(len(self.whole), 8)

    def taken(self, **slurm):
        """Names that a process with these variables of Slurm's takes."""
        out = self.dir / "taken"
        self.succeed("sr-degrade", "in", "-o", out, "--shard", "slurm", "--threads", "1", cwd=self.dir,
                     env=environment(**slurm))
        names = "".join(path.stem for path in sorted(out.glob("*.png")))
        shutil.rmtree(out, ignore_errors=True)
        return names

    def test_slurm_arrays_and_steps(self):
        self.assertEqual(self.taken(ID=1, MIN=1, MAX=3, STEP=1, COUNT=3), "036")
        self.assertEqual(self.taken(ID=3, MIN=1, MAX=3, COUNT=3), "25")
        self.assertEqual(self.taken(ID=20, MIN=0, MAX=25, STEP=10, COUNT=3), "25")
        self.assertEqual(self.taken(PROCID=1, TASKS=2), "135")
        self.assertEqual([self.taken(ID=i, MIN=1, MAX=2, STEP=1, COUNT=2, PROCID=p, TASKS=2)
                          for i in [1, 2] for p in [0, 1]], ["04", "15", "26", "3"])
        # a batch script has these and runs once
        self.assertEqual(self.taken(ID=2, MIN=1, MAX=2, STEP=1, COUNT=2, PROCID=0, NTASKS=4), "135")

    def test_slurm_variables_that_say_nothing(self):
        for text, slurm in {
            "neither SLURM_ARRAY_TASK_ID (sbatch --array) nor SLURM_STEP_NUM_TASKS (srun) is set": {"PROCID": 0},
            "SLURM_ARRAY_TASK_MAX is not set": {"ID": 1, "MIN": 1},
            "SLURM_ARRAY_TASK_ID=x is no number": {"ID": "x"},
            "the array has gaps": {"ID": 7, "MIN": 1, "MAX": 7, "STEP": 1, "COUNT": 3},
            "SLURM_PROCID is not set": {"TASKS": 2},
            "SLURM_PROCID is not below": {"TASKS": 2, "PROCID": 2},
        }.items():
            with self.subTest(text):
                self.fail_with(2, text, "sr-degrade", "in", "-o", "out/", "--shard", "slurm", cwd=self.dir,
                               env=environment(**slurm))

    def recipe(self, name, *arguments, **options):
        result = run(RECIPES / name, *arguments, cwd=self.dir, env=options.pop("env", environment()), **options)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result

    def both(self, work):
        """What two workers at once answer."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return list(pool.map(work, [1, 2]))

    def check_done(self):
        self.assertEqual(tree(self.dir / "out"), self.whole)

    def test_slurm_recipe(self):
        def task(number):
            variables = environment(ID=number, MIN=1, MAX=2, STEP=1, COUNT=2, CPUS=1)
            # one has --threads, the other is given it by the recipe
            command = [part for part in self.command if number == 1 or part not in ["--threads", "1"]]
            return run("bash", RECIPES / "slurm.sbatch", *command, cwd=self.dir, env=variables)

        for result in self.both(task):
            self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.check_done()
        given = run("bash", RECIPES / "slurm.sbatch", "echo", "--threads=2", env=environment(CPUS=8))
        self.assertEqual(given.stdout, b"--threads=2 --shard slurm\n")
        # what Slurm itself reads
        subprocess.run(["bash", "-n", RECIPES / "slurm.sbatch"], check=True)
        directives = [line for line in (RECIPES / "slurm.sbatch").read_text().splitlines() if line.startswith("#SBATCH")]
        self.assertTrue(all(line.startswith("#SBATCH --") for line in directives) and directives)

    @needs("make")
    def test_make_recipe(self):
        log = self.dir / "log"
        marked = f"echo . >>{log}; {' '.join(self.command)}"
        arguments = ["make", "-f", RECIPES / "shards.mk", "SHARDS=4"]

        def worker(_):
            return run(*arguments, f"RUN={marked}", cwd=self.dir, env=environment())

        results = self.both(worker)
        self.assertEqual([result.returncode for result in results], [0, 0], results)
        self.check_done()
        self.assertEqual(log.read_text().count("."), 4, "each shard once")
        # nothing is left to do; what died with its machine is freed
        self.assertEqual(worker(0).returncode, 0)
        (state,) = self.dir.glob(".shards-4-*")
        (state / "2.done").unlink()
        (self.dir / "out/1.png").unlink()
        self.assertIn(b"shard 2/4 is under way elsewhere", worker(0).stderr)
        self.assertEqual(run(*arguments, f"RUN={marked}", "release", cwd=self.dir, env=environment()).returncode, 0)
        self.assertEqual(worker(0).returncode, 0)
        self.check_done()
        self.assertEqual(log.read_text().count("."), 5)

    @needs("make")
    def test_make_recipe_frees_what_failed(self):
        (self.dir / "in/3.png").write_text("no picture")
        failed = run("make", "-k", "-f", RECIPES / "shards.mk", "SHARDS=2", f"RUN={' '.join(self.command)}", cwd=self.dir,
                     env=environment())
        self.assertEqual(failed.returncode, 2)
        (state,) = self.dir.glob(".shards-2-*")
        self.assertEqual(sorted(path.name for path in state.iterdir()), ["1.claim", "1.done"])
        self.assertEqual(len(tree(self.dir / "out")), 7)

    @needs("make")
    def test_make_recipe_frees_what_was_stopped(self):
        command = ["make", "-f", RECIPES / "shards.mk", "SHARDS=1", "RUN=sleep 60 & touch begun; wait; true"]
        process = subprocess.Popen(command, cwd=self.dir, start_new_session=True, stderr=subprocess.DEVNULL)
        while not (self.dir / "begun").exists():
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)
        self.assertEqual([path.name for state in self.dir.glob(".shards-1-*") for path in state.iterdir()], [])
        self.assertEqual(run(*command, "release", cwd=self.dir).returncode, 0)  # nothing is left to free

    @needs("parallel")
    def test_parallel_recipe(self):
        variables = two_machines(self.dir)
        self.recipe("over-ssh", "hosts", 4, *self.command, env=variables)
        self.check_done()
        machines = set((self.dir / "machines").read_text().split())
        self.assertEqual(machines, {"alpha", "beta"})
        self.assertEqual(len((self.dir / "hosts.joblog").read_text().splitlines()), 5)
        failed = run(RECIPES / "over-ssh", "hosts", 1, "sr-degrade", "none.png", "-o", "none/", cwd=self.dir, env=variables)
        self.assertEqual(failed.returncode, 1, failed.stderr)


class Recipes(Case):
    @needs("parallel")
    def test_parallel_recipe_takes_words_as_they_are(self):
        variables = two_machines(self.dir)
        here = self.dir / "wd {} {= $_=`touch pwned` =}"
        here.mkdir()
        words = ["in {} dir/", "{= $_=`touch pwned` =}", "$(touch pwned); '\"\\", "a\nline\n", "", "{#}", "*", "é", "!"]
        show = "import sys; print(sys.argv[1:])"
        result = run(RECIPES / "over-ssh", "../hosts", 1, "python3", "-c", show, *words, cwd=here, env=variables)
        self.assertEqual(result.stdout.decode(), f"{[*words, '--shard', '1/1']}\n", result.stderr)
        self.assertEqual(list(here.iterdir()) + list(self.dir.glob("pwned")), [])

    @needs("make")
    def test_recipes_without_a_number_or_command_say_how_to_use_them(self):
        (self.dir / "hosts").write_text(":\n")
        for shell, recipe, *arguments in [("sh", "over-ssh", "hosts"), ("sh", "over-ssh", "hosts", "sr-degrade", "in", "-o", "out/"),
                                          ("sh", "over-ssh", "hosts", "abc", "true"), ("sh", "over-ssh", "hosts", "0", "true"),
                                          ("bash", "slurm.sbatch")]:
            usage = run(shell, RECIPES / recipe, *arguments, cwd=self.dir, env=environment())
            self.assertEqual((usage.returncode, usage.stderr.count(b"\n")), (2, 1), usage.stderr)
            self.assertIn(f"{recipe} ".encode(), usage.stderr)
        for shards in ["abc", "0"]:
            result = run("make", "-f", RECIPES / "shards.mk", f"SHARDS={shards}", "RUN=true", cwd=self.dir, env=environment())
            self.assertEqual(result.returncode, 2)
            self.assertIn(b"SHARDS", result.stderr)


if __name__ == "__main__":
    unittest.main()
