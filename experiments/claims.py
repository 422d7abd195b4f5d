"""The paper's claims, judged: number, interval, rule, power and verdict by task and algorithm.

    python experiments/claims.py                      # of the kept studies, into claims.json
    python experiments/claims.py --studies REPRO      # of a folder of reproduce.py

The rules are in `claimed`. A verdict is `holds`, `fails`, `undecided` or `untested`; what
fewer than six trials say is undecided, and given as a description of the agents that were measured.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from claimed.claims import CLAIMS
from claimed.rules import describes, verdict
from claimed.sources import TASKS, Sources
from quoted.writing import number

HERE = Path(__file__).parent
ALGORITHMS = ("ppo", "trpo")


@dataclass(frozen=True)
class Command:
    """Judge the paper's claims."""

    studies: Path = HERE / "results"
    """Folder of `reproduce.py`, or of kept studies."""
    out: Path | None = None
    """Where claims.json is written; default: beside the studies."""


def judged(studies: Path) -> list[dict[str, Any]]:
    """A row for every claim, task and algorithm."""
    sources = Sources(studies)
    rows = []
    for claim in CLAIMS:
        for task in TASKS:
            for algorithm in ALGORITHMS:
                parts = claim.measure(sources, task, algorithm)
                rows.append(
                    {
                        "claim": claim.name,
                        "says": claim.says,
                        "task": task,
                        "algorithm": algorithm,
                        "verdict": verdict(parts),
                        "describes": describes(parts),
                        "parts": [part.plain() for part in parts],
                    }
                )
    return rows


def line(row: dict[str, Any]) -> str:
    """A row in a line."""
    numbers = "; ".join(part_text(part) for part in row["parts"])
    few = row["verdict"] == "undecided" and row["describes"] != "undecided"
    said = f"{row['verdict']}{' (these agents: ' + row['describes'] + ')' if few else ''}"
    return (
        f"{row['claim']} {row['task']} {row['algorithm']}: {said}{': ' if numbers else ''}{numbers}"
    )


def part_text(part: dict[str, Any]) -> str:
    """Number, interval, rule, trials and what could have been seen."""
    value, low, high, far = (
        number(float(part[k]), 2 if abs(float(part[k])) < 100 else 0) if _finite(part[k]) else "-"
        for k in ("value", "low", "high", "resolves")
    )
    return (
        f"{part['what']} {value} [{low}, {high}], {part['rule']}: {part['says']} "
        f"({part['trials']} trials, resolves {far})"
    )


def _finite(x: float | str) -> bool:
    return not isinstance(x, str)


def main(command: Command) -> int:
    if not command.studies.is_dir():
        print(f"claims: studies: expected a folder, got {command.studies}", file=sys.stderr)
        return 2
    rows = judged(command.studies)
    for row in rows:
        if row["parts"]:
            print(line(row))
    print(f"{sum(not row['parts'] for row in rows)} of {len(rows)} are untested")
    out = command.out or command.studies / "claims.json"
    out.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command)))
