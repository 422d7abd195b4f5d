"""Malformed inputs by the ten thousand: each is accepted, or refused by one line that says why.

``--only KIND --first NUMBER --count 1`` reads a single one again.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from campaigns.watched import HEADER, Result, Which, show, watch, work

SHARES = {  # of all inputs
    "arguments": 0.35,
    "configs": 0.2,
    "task files": 0.15,
    "MJCF": 0.12,
    "agents and checkpoints": 0.16,
    "command lines": 0.02,
}


def fault_of(error: Exception) -> str:
    """What is wrong with how an input was refused."""
    from pgcore import SimulationError

    text, kind = str(error), type(error).__name__
    if not isinstance(error, ValueError | TypeError | OSError | ImportError | SimulationError):
        return f"{kind}: {text[:200]}"
    if not text.strip():
        return f"{kind} without a word"
    if "\n" in text.strip():
        return f"{kind} of several lines: {text[:200]!r}"
    return "" if ":" in text else f"{kind} names nothing: {text[:200]}"


def worker(which: Which, folder: Path) -> None:
    """Read inputs, in a process that is watched."""
    from campaigns.input_kinds import Inputs

    work(Inputs(folder).kinds[which[0]], fault_of, which, folder)


def campaign(
    count: int, seed: int, folder: Path, only: str | None = None, first: int = 0
) -> list[Result]:
    """Inputs of all kinds by their shares, or of one."""
    print(HEADER, flush=True)
    results = []
    for kind in [only] if only else SHARES:
        last = first + count if only else max(1, round(SHARES[kind] * count))
        results.append(watch(worker, (kind, seed, first, last), folder))
        show(results[-1])
    return results


def run() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=SHARES)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        results = campaign(options.count, options.seed, Path(name), options.only, options.first)
    print(f"{sum(r.count for r in results)} inputs, {sum(r.seconds for r in results):.0f} seconds")
    raise SystemExit(any(r.findings for r in results))


if __name__ == "__main__":
    run()
