"""Kills at random moments: training and every study go on, and end with the bits of a whole run.

Each target is killed (SIGKILL) or asked to stop (SIGTERM and SIGUSR1, of the process or its whole
group) at a random moment of its own duration, and started again, until it is finished. Then its
datasets, checkpoints and tables must equal those of a run that was left alone, no finished cell may
have been written again, no process and no torn file may be left.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from campaigns import warm
from campaigns.folders import differences, finished_work, litter, repeated
from campaigns.targets import leave_out_figures, make_runs, targets
from pgcore.base.signals import STOPPED
from pgcore.cli import main

LIMIT = 300.0  # seconds until something is called a hang


def _child(arguments: list[str]) -> None:
    leave_out_figures()
    main(arguments)


@dataclass
class Row:
    """What a target has been through."""

    name: str
    kills: int = 0
    terms: int = 0
    whole_runs: int = 0
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        said = "; ".join(self.findings) or "none"
        return (
            f"{self.name:<18}{self.kills:>6}{self.terms:>6}{self.whole_runs:>10}"
            f"{self.seconds:>9.0f}  {said}"
        )


HEADER = f"{'target':<18}{'kills':>6}{'terms':>6}{'finished':>10}{'seconds':>9}  findings"


class Target:
    """A command in a folder of its own, and what is found out about it."""

    def __init__(self, name: str, runs: list[Path], folder: Path, rng: random.Random) -> None:
        self.name, self.runs, self.folder, self.rng = name, runs, folder, rng
        self.arguments = targets()[name]
        self.row = Row(name)
        folder.mkdir()
        self.log = folder / "log"
        process, self.duration = self.start(folder / "whole"), LIMIT
        start = time.monotonic()
        self.end(process, "the whole run")
        self.took(time.monotonic() - start)
        self.cut = folder / "cut-0"

    def start(self, out: Path) -> Any:
        """A process that has just called `pgcore`."""
        return warm.start(_child, self.arguments(out, self.runs), log=self.log)

    def took(self, seconds: float) -> None:
        """What a finished run took: from it the moments are drawn."""
        self.duration = min(self.duration, seconds)

    def end(self, process: Any, what: str, allowed: Sequence[int] = (0,)) -> None:
        """Wait for a process; a hang, or another exit status, is a finding."""
        process.join(LIMIT)
        if process.exitcode is None:
            self.row.findings.append(f"{what} hangs")
            process.kill()
            process.join()
        elif process.exitcode not in allowed:
            text = self.log.read_text().strip().splitlines()
            self.row.findings.append(f"{what} ended with {process.exitcode}: {text[-1:]}")

    def interrupt(self, kind: str) -> None:
        """Start, or go on, and end it at a random moment; a finished run gives way to another."""
        process, start = self.start(self.cut), time.monotonic()
        process.join(self.rng.uniform(0, self.duration))
        if process.exitcode is None:
            children = psutil.Process(process.pid).children(recursive=True)
            if kind == "kill":
                self.row.kills += 1
                process.kill()
                process.join()
            else:
                self.row.terms += 1
                number = self.rng.choice((signal.SIGTERM, signal.SIGUSR1))
                self.rng.choice((os.kill, os.killpg))(process.pid, number)
                self.end(process, signal.Signals(number).name, (0, STOPPED))
            _, alive = psutil.wait_procs(children, timeout=30)
            if alive:
                self.row.findings.append(f"{len(alive)} processes outlive a {kind}")
        elif process.exitcode:
            self.end(process, "it")
        else:
            self.took(time.monotonic() - start)
        self.look(process.exitcode == 0)

    def look(self, finished: bool) -> None:
        """Compare with what was finished before; with the whole run, if this one is, too."""
        before = getattr(self, "before", {})
        if again := repeated(before, self.cut):
            self.row.findings.append(f"{len(again)} finished files written again ({again[0]})")
        self.before = finished_work(self.cut) if self.cut.exists() else {}
        if finished:
            self.row.findings += differences(self.folder / "whole", self.cut)
            self.row.findings += [f"left: {name}" for name in litter(self.cut)]
            self.row.whole_runs += 1
            self.cut = self.folder / f"cut-{self.row.whole_runs}"
            self.before = {}

    def finish(self) -> None:
        """The last run to its end."""
        self.end(self.start(self.cut), "the last run")
        self.look(True)
        said = self.log.read_text()
        # Dask prints some of its own where it is stopped while its workers start
        if "Traceback" in said and "Dask" not in self.name:
            self.row.findings.append(f"{said.count('Traceback')} tracebacks on stderr")


def campaign(
    kills: int,
    terms: int,
    seed: int,
    folder: Path,
    names: Sequence[str] | None = None,
    runs: list[Path] | None = None,
) -> list[Row]:
    """All targets, or some by name; kills and terms are dealt out to them in turn.

    Their agents are those of ``runs``, or are trained.
    """
    rng = random.Random(seed)
    chosen = list(names or targets())
    deal: dict[str, list[str]] = {name: [] for name in chosen}
    for i, kind in enumerate(["kill"] * kills + ["term"] * terms):
        deal[chosen[i % len(chosen)]].append(kind)
    runs = make_runs(folder) if runs is None else runs
    print(HEADER, flush=True)
    rows = []
    for number, (name, kinds) in enumerate(deal.items()):
        start = time.monotonic()
        target = Target(name, runs, folder / str(number), rng)
        rng.shuffle(kinds)
        for kind in kinds:
            done = target.row.kills, target.row.terms
            while (target.row.kills, target.row.terms) == done and not target.row.findings:
                target.interrupt(kind)  # it may be finished ahead of the moment
        target.finish()
        target.row.seconds = time.monotonic() - start
        print(target.row, flush=True)
        rows.append(target.row)
    return rows


def run() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--terms", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names of targets")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = campaign(options.kills, options.terms, options.seed, Path(folder), options.only)
    total = sum(row.kills for row in rows), sum(row.terms for row in rows)
    print(f"{total[0]} kills, {total[1]} terms, {sum(row.seconds for row in rows):.0f} seconds")
    raise SystemExit(any(row.findings for row in rows))


if __name__ == "__main__":
    run()
