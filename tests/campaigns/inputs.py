"""Malformed inputs by the ten thousand: each is accepted, or refused by one line that says why.

They are read in a process of their own, which is watched: where it dies or says nothing for a
while, that is a finding, and another process goes on behind that input. An input is known by its
kind, the seed and its number, and ``--only KIND --first NUMBER --count 1`` shows it again.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SHARES = {  # of all inputs
    "arguments": 0.35,
    "configs": 0.2,
    "task files": 0.15,
    "MJCF": 0.12,
    "agents and checkpoints": 0.16,
    "command lines": 0.02,
}
HANG = 100.0  # seconds
MEMORY = 8 << 30  # bytes of address space


def fault_of(read: Any) -> str:
    """What is wrong with how an input was taken; nothing if it was accepted or refused well."""
    from pgcore import SimulationError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read()
    except (ValueError, TypeError, OSError, ImportError, SimulationError) as error:
        text = str(error)
        if not text.strip():
            return f"{type(error).__name__} without a word"
        if "\n" in text.strip():
            return f"{type(error).__name__} of several lines: {text[:200]!r}"
        return "" if ":" in text else f"{type(error).__name__} names nothing: {text[:200]}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return ""


def work(kind: str, seed: int, first: int, last: int, folder: Path) -> None:
    """Read inputs one after the other; where it stands is on disk before each of them."""
    from campaigns.input_kinds import Inputs

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    make = Inputs(folder).kinds[kind]
    with (folder / "findings").open("a") as findings, (folder / "at").open("w") as at:
        for number in range(first, last):
            text, read = make(random.Random(f"{kind} {seed} {number}"))
            at.seek(0)
            at.truncate()
            at.write(json.dumps([number, text]))
            at.flush()
            if fault := fault_of(read):
                findings.write(json.dumps([number, fault, text]) + "\n")
                findings.flush()
        at.seek(0)
        at.truncate()
        at.write(json.dumps([last, "the end"]))


@dataclass
class Result:
    """What became of the inputs of a kind."""

    kind: str
    count: int
    seconds: float = 0.0
    findings: list[tuple[int, str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.kind:<24}{self.count:>8}{self.seconds:>9.0f}{len(self.findings):>10}"

    def kinds_of_findings(self) -> list[str]:
        """Each fault once, with how often it came and one input that shows it."""
        counted = collections.Counter(fault for _, fault, _ in self.findings)
        first = {fault: (n, text) for n, fault, text in reversed(self.findings)}
        return [
            f"{count} x {fault} (number {first[fault][0]}: {first[fault][1][:300]})"
            for fault, count in counted.most_common()
        ]


def _standing(folder: Path, otherwise: int) -> tuple[int, str]:
    try:
        number, text = json.loads((folder / "at").read_text())
        return int(number), str(text)
    except (OSError, ValueError):
        return otherwise, "its start"


def watch(kind: str, seed: int, first: int, count: int, folder: Path) -> Result:
    """Let a process read inputs; another one goes on where it dies or hangs."""
    result = Result(kind, count)
    start, last = time.monotonic(), first + count
    (folder / "findings").unlink(missing_ok=True)
    while first < last:
        (folder / "at").unlink(missing_ok=True)
        arguments = ["--worker", kind, str(seed), str(first), str(last), str(folder)]
        process = subprocess.Popen([sys.executable, "-m", "campaigns.inputs", *arguments])
        seen, since = "", time.monotonic()
        while process.poll() is None:
            time.sleep(0.2)
            now = str(_standing(folder, first))
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > HANG:
                process.kill()
                process.wait()
                break
        number, text = _standing(folder, first)
        if process.returncode == 0:
            break
        what = "hangs" if process.returncode == -9 else f"ends with {process.returncode}"
        result.findings.append((number, f"the process {what}", text))
        first = number + 1
    found = folder / "findings"
    if found.exists():
        result.findings += [tuple(json.loads(line)) for line in found.read_text().splitlines()]
    result.seconds = time.monotonic() - start
    return result


def campaign(count: int, seed: int, folder: Path, kinds: list[str] | None = None) -> list[Result]:
    """Inputs of all kinds, or of some, by their shares."""
    print(f"{'kind':<24}{'inputs':>8}{'seconds':>9}{'findings':>10}", flush=True)
    results = []
    for kind in kinds or SHARES:
        share = count if kinds else max(1, round(SHARES[kind] * count))
        results.append(watch(kind, seed, 0, share, folder))
        print(results[-1], flush=True)
        for line in results[-1].kinds_of_findings()[:25]:
            print(f"    {line}", flush=True)
    return results


def run() -> None:
    """The command line."""
    if sys.argv[1:2] == ["--worker"]:
        kind, seed, first, last, folder = sys.argv[2:]
        work(kind, int(seed), int(first), int(last), Path(folder))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=SHARES)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.first:
            result = watch(options.only, options.seed, options.first, options.count, folder)
            print(result, *result.kinds_of_findings(), sep="\n")
            results = [result]
        else:
            kinds = [options.only] if options.only else None
            results = campaign(options.count, options.seed, folder, kinds)
    print(f"{sum(r.count for r in results)} inputs, {sum(r.seconds for r in results):.0f} seconds")
    raise SystemExit(any(r.findings for r in results))


if __name__ == "__main__":
    run()
