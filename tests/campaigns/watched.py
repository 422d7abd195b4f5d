"""Inputs by the thousand, read in a process that is watched.

Where it dies or says nothing for a while, that is a finding, and another process goes on behind
that input. An input is known by its kind, the seed and its number.
"""

from __future__ import annotations

import collections
import json
import random
import resource
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campaigns import warm

HANG = 120.0  # seconds
MEMORY = 8 << 30  # bytes of address space

Make = Callable[[random.Random], tuple[str, Callable[[], Any]]]  # what it is, and what reads it
Judge = Callable[[Exception], str]  # what is wrong with an error; nothing if nothing is
Which = tuple[str, int, int, int]  # kind, seed, the first number and the one behind the last


def work(make: Make, judge: Judge, which: Which, folder: Path) -> None:
    """Read inputs one after the other; where it stands is on disk before each of them.

    Args:
        which: of the inputs.
        folder: for ``at``, where it stands, ``findings`` and ``refused``, a byte for each refusal.
    """
    kind, seed, first, last = which
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with (
        (folder / "findings").open("a") as findings,
        (folder / "refused").open("a") as refused,
        (folder / "at").open("w") as at,
    ):

        def stands(number: int, text: str) -> None:
            at.seek(0)
            at.truncate()
            at.write(json.dumps([number, text]))
            at.flush()

        for number in range(first, last):
            text, read = make(random.Random(f"{kind} {seed} {number}"))
            stands(number, text)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    read()
            except Exception as error:
                refused.write(".")
                refused.flush()  # the next input may end the process
                if fault := judge(error):
                    findings.write(json.dumps([number, fault, text]) + "\n")
                    findings.flush()
        stands(last, "the end")


@dataclass
class Result:
    """What became of the inputs of a kind."""

    kind: str
    count: int
    refused: int = 0
    seconds: float = 0.0
    findings: list[tuple[int, str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kind:<24}{self.count:>8}{self.refused:>9}{self.seconds:>9.0f}"
            f"{len(self.findings):>10}"
        )

    def kinds_of_findings(self) -> list[str]:
        """Each fault once, with how often it came and one input that shows it."""
        counted = collections.Counter(fault for _, fault, _ in self.findings)
        first = {fault: (n, text) for n, fault, text in reversed(self.findings)}
        return [
            f"{count} x {fault} (number {first[fault][0]}: {first[fault][1][:300]})"
            for fault, count in counted.most_common()
        ]


HEADER = f"{'kind':<24}{'inputs':>8}{'refused':>9}{'seconds':>9}{'findings':>10}"


def _standing(folder: Path, otherwise: int) -> tuple[int, str]:
    try:
        number, text = json.loads((folder / "at").read_text())
        return int(number), str(text)
    except (OSError, ValueError):
        return otherwise, "its start"


def _wait(process: Any, folder: Path, first: int) -> str:
    """Wait while it goes on from input to input; how it ended, nothing if by itself."""
    seen, since = "", time.monotonic()
    while process.exitcode is None:
        time.sleep(0.1)
        now = str(_standing(folder, first))
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > HANG:
            process.kill()
            process.join()
            return "hangs"
    return f"ends with {process.exitcode}" if process.exitcode else ""


def watch(worker: Callable[[Which, Path], None], which: Which, folder: Path) -> Result:
    """Let processes read inputs; ``worker`` is a function of a module that calls :func:`work`."""
    kind, seed, first, last = which
    result = Result(kind, last - first)
    start = time.monotonic()
    for name in ("findings", "refused"):
        (folder / name).write_text("")
    while first < last:
        (folder / "at").unlink(missing_ok=True)
        process = warm.start(worker, (kind, seed, first, last), folder, log=folder / "said")
        ending = _wait(process, folder, first)
        if not ending:
            break
        number, text = _standing(folder, first)
        result.findings.append((number, f"the process {ending}", text))
        first = number + 1
    lines = (folder / "findings").read_text().splitlines()
    result.findings += [tuple(json.loads(line)) for line in lines]
    result.refused = len((folder / "refused").read_text())
    result.seconds = time.monotonic() - start
    return result


def show(result: Result) -> None:
    """A row, and a line for each kind of finding."""
    print(result, flush=True)
    for line in result.kinds_of_findings()[:25]:
        print(f"    {line}", flush=True)
