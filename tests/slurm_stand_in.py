"""A stand-in for Slurm on this machine: `sbatch --wait`, `srun` and `scontrol requeue`.

Jobs run at once, elements of an array in turn. A job's time is up when what the k-th path of
``STAND_IN_LIMITS`` names has grown in its k-th turn: then the signal of ``--signal`` comes, and as
many seconds later as that says whatever still runs is killed. A step without ``--cpus-per-task``
has one core, as in Slurm.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

HERE = Path(os.environ["STAND_IN"])  # a folder for what the commands tell each other


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("wait", "requeue", "overlap"):
        parser.add_argument(f"--{name}", action="store_true")
    for name in ("job-name", "nodes", "ntasks-per-node", "mem", "time", "open-mode", "array"):
        parser.add_argument(f"--{name}")
    for name in ("cpus-per-task", "ntasks"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--signal", default="TERM@0")
    parser.add_argument("--output", default="slurm-%j.out")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser


def _size(path: Path) -> int:
    return sum(p.stat().st_size for p in ([path, *path.rglob("*")] if path.exists() else []))


class Job:
    """One job, or one element of an array, until it ends by itself."""

    def __init__(self, number: int, options: argparse.Namespace, element: str | None) -> None:
        self.number, self.options = number, options
        self.steps = HERE / f"steps-{number}"
        self.steps.mkdir()
        names = {"%x": options.job_name, "%j": str(number), "%A": str(number), "%a": element}
        self.output = options.output
        for key, value in names.items():
            self.output = self.output.replace(key, value or "")
        self.environment = {
            **os.environ,
            "SLURM_JOB_ID": str(number),
            "SLURM_NTASKS": str(options.ntasks or 1),
        }
        if options.cpus_per_task:
            self.environment["SLURM_CPUS_PER_TASK"] = str(options.cpus_per_task)
        if element is not None:
            self.environment |= {"SLURM_ARRAY_TASK_ID": element}

    def run(self) -> int:
        """Turn after turn while it is put back into the queue; the last exit status."""
        limits = [Path(p) for p in os.environ.get("STAND_IN_LIMITS", "").split(":") if p]
        requeued = HERE / f"requeue-{self.number}"
        for turn in range(20):
            self.environment["SLURM_RESTART_COUNT"] = str(turn)
            status = self.turn(limits[turn] if turn < len(limits) else None)
            if not requeued.exists():
                return status
            requeued.unlink()
        raise SystemExit("the job is put back into the queue again and again")

    def turn(self, limit: Path | None) -> int:
        """Run the script once, or until its time is up."""
        with Path(self.output).open("a") as output:
            script = subprocess.Popen(
                ["bash", *self.options.command], env=self.environment, start_new_session=True,
                stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        before = _size(limit) if limit else 0
        asked: float | None = None
        kind, _, seconds = self.options.signal.partition("@")
        while script.poll() is None:
            time.sleep(0.02)
            if limit and asked is None and _size(limit) > before:
                asked = time.monotonic()
                self.send(script.pid, kind)
            if asked is not None and time.monotonic() > asked + int(seconds):
                self.send(script.pid, "KILL")
        self.send(script.pid, "KILL")  # what the script left running
        return script.returncode

    def send(self, script: int, kind: str) -> None:
        """To every process of its steps; "B:" means to the script alone, KILL to all."""
        name = kind.removeprefix("B:")
        number = signal.Signals[f"SIG{name}"]
        if kind.startswith("B:"):
            os.kill(script, number)
            return
        groups = [int(p.name) for p in self.steps.iterdir()] + [script] * (name == "KILL")
        for group in groups:
            try:
                os.killpg(group, number)
            except ProcessLookupError:
                continue


def sbatch(arguments: list[str]) -> int:
    """Run a job, or an array of them, to the end; the command line goes before #SBATCH lines."""
    given = _options().parse_args(arguments)
    lines = Path(given.command[0]).read_text().splitlines()
    said = [w for line in lines if line.startswith("#SBATCH") for w in shlex.split(line)[1:]]
    options = _options().parse_args([*said, *arguments])
    first, _, last = (options.array or "").partition("-")
    elements = [str(i) for i in range(int(first), int(last or first) + 1)] if first else [None]
    statuses = []
    for element in elements:
        number = 1 + len(list(HERE.glob("steps-*")))
        print(f"Submitted batch job {number}", flush=True)
        statuses.append(Job(number, options, element).run())
    return max(statuses)


def srun(arguments: list[str]) -> int:
    """Run the tasks of a step; the highest exit status."""
    options = _options().parse_args(arguments)
    cores = sorted(os.sched_getaffinity(0))[: options.cpus_per_task or 1]
    environment = {k: v for k, v in os.environ.items() if k != "SLURM_CPUS_PER_TASK"}
    if options.cpus_per_task:
        environment["SLURM_CPUS_PER_TASK"] = str(options.cpus_per_task)
    tasks = [
        subprocess.Popen(
            options.command, env=environment, start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        for _ in range(options.ntasks or int(os.environ["SLURM_NTASKS"]))
    ]  # fmt: skip

    def hand_on(number: int, frame: FrameType | None) -> None:
        for task in tasks:
            task.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, hand_on)
    for task in tasks:
        (HERE / f"steps-{os.environ['SLURM_JOB_ID']}" / str(task.pid)).touch()
    statuses = [task.wait() for task in tasks]
    return max(128 - s if s < 0 else s for s in statuses)


def scontrol(arguments: list[str]) -> int:
    """`scontrol requeue JOB`."""
    what, number = arguments
    assert what == "requeue"
    (HERE / f"requeue-{number}").touch()
    return 0


if __name__ == "__main__":
    raise SystemExit(
        {"sbatch": sbatch, "srun": srun, "scontrol": scontrol}[sys.argv[1]](sys.argv[2:])
    )
