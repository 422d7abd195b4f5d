"""The pairs of an agent's own iteration, which tables are about."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pgcore.base.arrays import F64

AGENT_PAIRS = 2048  # of an iteration


def nearest_to_agents(pairs: Iterable[int]) -> int:
    """Of several n the one nearest to an iteration's, as a ratio."""
    known = np.array([int(n) for n in pairs])
    return int(known[np.argmin(np.abs(np.log(known / AGENT_PAIRS)))])


def decade_around(n: F64) -> tuple[float, float] | None:
    """The limits of an axis of pairs that would be of less than a decade; None of another."""
    if n.max() >= 10 * n.min():
        return None
    middle = float(np.sqrt(n.max() * n.min()))
    return middle / 10**0.5, middle * 10**0.5


def dotted(n: F64, what: str = "") -> str:
    """What a figure says of its dotted line at an iteration's pairs; "" where its axis ends before.

    Args:
        n: pairs of the axis.
        what: further words, from their comma on.
    """
    ends = decade_around(n)
    seen = ends is None or ends[0] <= AGENT_PAIRS <= ends[1]
    return f" Dotted: n = {AGENT_PAIRS}{what}." if seen else ""
