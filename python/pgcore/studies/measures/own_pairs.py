"""The pairs of an agent's own iteration, which tables are about."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

AGENT_PAIRS = 2048  # of an iteration


def nearest_to_agents(pairs: Iterable[int]) -> int:
    """Of several n the one nearest to an iteration's, as a ratio."""
    known = np.array([int(n) for n in pairs])
    return int(known[np.argmin(np.abs(np.log(known / AGENT_PAIRS)))])
