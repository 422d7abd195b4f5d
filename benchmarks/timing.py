"""How the benchmarks measure: A B A B in one process, medians, spread, and their ratio."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: one pool of threads, ours

import numpy as np

from pgcore.base.arrays import F64
from pgcore.base.provenance import cpu_name


def interleaved(functions: dict[str, Callable[[], object]], rounds: int = 9) -> dict[str, F64]:
    """Seconds of every function in every round; one warm-up round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for round_ in range(rounds + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if round_:
                seconds[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def header(question: str) -> None:
    """The question, and the machine that answers it."""
    cores = len(os.sched_getaffinity(0))
    print(f"\n{question}\n{cpu_name()}, {cores} cores, Python {platform.python_version()}")


def report(case: str, seconds: dict[str, F64], work: float | dict[str, float], unit: str) -> float:
    """Print medians, spreads (interquartile) and the ratio of the others to the first.

    Args:
        case: what was run.
        seconds: of each contender; the first is pgcore.
        work: units of work of one call, by contender where they differ.
        unit: of the work, for the time per unit.

    Returns:
        The smallest ratio.
    """
    names = list(seconds)
    cells = []
    costs = {
        name: seconds[name] / (work[name] if isinstance(work, dict) else work) * 1e6
        for name in names
    }
    for name in names:
        low, middle, high = np.percentile(costs[name], [25, 50, 75])
        cells.append(f"{name} {middle:.3g} us/{unit} ({low:.3g}..{high:.3g})")
    mine = np.median(costs[names[0]])
    ratios = [float(np.median(costs[name]) / mine) for name in names[1:]]
    shown = ", ".join(f"{r:.2f} x {n}" for r, n in zip(ratios, names[1:], strict=True))
    print(f"{case}: " + "; ".join(cells) + f"; speed: {shown}", flush=True)
    return min(ratios)


def check(holds: bool, what: str) -> None:
    """Stop the benchmark if the contenders do not compute the same."""
    if not holds:
        raise SystemExit(f"not equal: {what}")


def geometric_mean(values: Iterable[float]) -> float:
    """Of several ratios."""
    return float(np.exp(np.mean(np.log(list(values)))))
