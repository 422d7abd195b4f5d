"""Every figure of the paper, at a scale of your choice. Interrupted, the same command goes on.

    python experiments/reproduce.py --scale demo|laptop|paper --out DIR

Everything is done by commands that you could type; each is printed before it runs. `--dry-run`
prints them with the hours that each takes on this machine.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from planned import RESERVE, Planned, commands, seconds_per_pair
from scales import SCALES


@dataclass(frozen=True)
class Command:
    """Train the agents and run every study."""

    scale: Literal["demo", "laptop", "paper"] = "demo"
    """demo: minutes on two cores; laptop: a day; paper: a many-core server."""
    out: Path = Path("reproduction")
    """Folder of runs, datasets and figures."""
    dry_run: bool = False
    """Print the commands only, each with its simulated pairs and hours."""


def shown(command: Planned) -> str:
    """As one would type it."""
    return shlex.join("python" if a == sys.executable else a for a in command.arguments)


def plan(every: list[Planned]) -> None:
    """Print what would run, and how long it takes here."""
    seconds = seconds_per_pair(sorted({c.task for c in every}))
    for command in every:
        print("\n$", shown(command))
        if command.pairs:
            print(f"  {command.pairs:.2g} pairs, {command.hours(seconds):.2f} h")
    total = sum(c.hours(seconds) for c in every)
    speeds = ", ".join(f"{task} {1e6 * s:.0f} us" for task, s in seconds.items())
    print(f"\n{total:.1f} h, with a reserve {RESERVE * total:.1f} h; a pair takes {speeds} here")


def main(command: Command) -> int:
    every = list(commands(SCALES[command.scale], command.out))
    if command.dry_run:
        plan(every)
        return 0
    failed = []
    for planned in every:
        print("\n$", shown(planned), flush=True)
        status = subprocess.run(planned.arguments, check=False).returncode
        if status == 130 or status < 0:  # interrupted or killed
            return 130
        failed += [shown(planned)] if status else []
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
