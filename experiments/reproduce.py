"""Every figure of the paper, at a scale of your choice. Interrupted, the same command goes on.

    python experiments/reproduce.py --scale demo|laptop|paper --out DIR

Everything is done by commands that you could type; each is printed before it runs.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from scales import SCALES, Scale

HERE = Path(__file__).parent
ALGORITHMS = ("ppo", "trpo")


@dataclass(frozen=True)
class Command:
    """Train the agents and run every study."""

    scale: Literal["demo", "laptop", "paper"] = "demo"
    """demo: minutes on two cores; laptop: days; paper: a many-core server."""
    out: Path = Path("reproduction")
    """Folder of runs, datasets and figures."""
    dry_run: bool = False
    """Print the commands only."""


def words(values: tuple[int, ...]) -> list[str]:
    """Numbers as arguments."""
    return [str(v) for v in values]


def commands(scale: Scale, out: Path) -> Iterator[list[str]]:
    """The commands, in order."""
    pgcore = [sys.executable, "-m", "pgcore"]
    for task in scale.tasks:
        runs = [str(out / "runs" / f"{task}-{a}") for a in ALGORITHMS]
        kinds = [(run, a, "value") for run, a in zip(runs, ALGORITHMS, strict=True)]
        if scale.zero_baseline:
            kinds += [(f"{run}-zero", a, "zero") for run, a, _ in kinds]
        for run, algorithm, baseline in kinds:
            yield [
                *pgcore, "train", "--task", task, "--algorithm", algorithm,
                "--baseline", baseline, "--trials", str(scale.trials),
                "--iterations", str(scale.iterations),
                "--keep", *words(scale.keep), "--out", run, "--resume",
            ]  # fmt: skip
        figure = str(out / "figures" / f"{task}-learning")
        every = [run for run, _, _ in kinds]
        yield [sys.executable, str(HERE / "learning_curves.py"), *every, "--out", figure]
        yield from studies(task, runs, scale, out)


def studies(task: str, runs: list[str], scale: Scale, out: Path) -> Iterator[list[str]]:
    """The three studies of one task."""
    pgcore = [sys.executable, "-m", "pgcore", "study"]
    trials = ["--trials", str(scale.measured)]
    checkpoints = ["--iterations", *words(scale.checkpoints)]
    yield [
        *pgcore, "gradient", *runs, *trials, *checkpoints,
        "--pairs", *words(scale.gradient_pairs), "--true-pairs", str(scale.true_pairs),
        "--true-step-pairs", str(max(2000, scale.true_pairs // 10)),
        "--largest-step", str(scale.largest_step), "--out", str(out / f"{task}-gradient"),
    ]  # fmt: skip
    yield [
        *pgcore, "value", *runs, *trials, "--iterations", *words(scale.value_checkpoints),
        "--variance-iterations", *words(scale.variance_checkpoints),
        "--pairs", *words(scale.variance_pairs),
        "--true-value-pairs", str(scale.true_value_pairs), "--states", str(scale.states),
        "--continuations", str(scale.continuations), "--out", str(out / f"{task}-value"),
    ]  # fmt: skip
    yield [  # the paper's figures 3, 11 and 12: returns cut at the end of an iteration
        *pgcore, "value", *runs, *trials, "--iterations", *words(scale.value_checkpoints),
        "--variance-iterations", "--returns", "cut", "--out", str(out / f"{task}-value-cut"),
    ]  # fmt: skip
    yield [
        *pgcore, "landscape", *runs, "--trials", "1", "--random-range", "0", "3", *checkpoints,
        "--points", str(scale.grid), str(scale.grid), "--sources", *words(scale.sources),
        "--pairs", *words(scale.map_pairs), "--out", str(out / f"{task}-landscape"),
    ]  # fmt: skip


def main(command: Command) -> int:
    failed = []
    for arguments in commands(SCALES[command.scale], command.out):
        shown = shlex.join("python" if a == sys.executable else a for a in arguments)
        print("\n$", shown, flush=True)
        if not command.dry_run:
            status = subprocess.run(arguments, check=False).returncode
            if status == 130 or status < 0:  # interrupted or killed
                return 130
            failed += [shown] if status else []
    if failed:
        print("\nThese failed; the same command tries them again:", *failed, sep="\n$ ")
        return 1
    print(f"\nfigures and datasets are in {command.out}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(tyro.cli(Command)))
    except KeyboardInterrupt:
        sys.exit(130)
