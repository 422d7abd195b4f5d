"""How numbers are written in the documents."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr


def number(x: float, digits: int = 2, sign: str = "") -> str:
    """With so many digits behind the point, large ones with thousands apart, and no -0.00."""
    rounded = round(float(x), digits) + 0.0
    return f"{rounded:{sign}{',' if abs(rounded) >= 10_000 else ''}.{digits}f}"


def significant(x: float, digits: int = 2) -> str:
    """With so many significant digits."""
    places = digits - 1 - math.floor(math.log10(abs(x)))
    return number(round(float(x), places), max(0, places))


def power(x: float) -> str:
    """As 1.6 x 10^5; without a factor of 1."""
    exponent = math.floor(math.log10(x))
    factor = x / 10**exponent
    return f"10^{exponent}" if factor == 1 else f"{factor:.1f} x 10^{exponent}"


def span(values: Any, digits: int = 2) -> str:
    """The least and the largest of some numbers."""
    known = np.ravel(np.asarray(values, dtype=float))
    known = known[np.isfinite(known)]
    low, high = (number(x, digits) for x in (known.min(), known.max()))
    return low if low == high else f"{low} to {high}"


def significant_span(values: Any, digits: int = 2) -> str:
    """The same, with significant digits."""
    low, high = (significant(x, digits) for x in (np.min(values), np.max(values)))
    return low if low == high else f"{low} to {high}"


def interval(ends: Sequence[float], digits: int = 2, sign: str = "", apart: str = ", ") -> str:
    """A number with its interval: 0.04 [-0.09, 0.17]."""
    middle, low, high = (number(x, digits, sign) for x in ends)
    return f"{middle} [{low}{apart}{high}]"


def estimate(data: xr.Dataset, name: str, digits: int = 2, sign: str = "") -> str:
    """A variable of one number, with its interval."""
    return interval(ends_of(data, name), digits, sign)


def ends_of(data: xr.Dataset, name: str) -> tuple[float, float, float]:
    """A variable of one number and the ends of its interval."""
    middle, low, high = (float(data[f"{name}{end}"]) for end in ("", "_low", "_high"))
    return middle, low, high


def median_range(values: Any, digits: int = 2) -> str:
    """Median [least to largest] of some numbers."""
    x = np.asarray(values, dtype=float)
    return interval((float(np.median(x)), float(x.min()), float(x.max())), digits, apart=" to ")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def checkpoints(k: int, data: xr.Dataset, iterations: int) -> str:
    """k of so many checkpoints of so many agents: an agent is one trial of one algorithm."""
    agents = data.sizes["agent"] * data.sizes["trial"]
    return f"{k} of {agents * iterations} checkpoints of {agents} agents"


def verdict(holds: object) -> str:
    """Of a claim."""
    return "holds" if holds else "does not hold"


def effect(ends: Sequence[float]) -> str:
    """What a change of the reward with this interval is, and the numbers."""
    _, low, high = ends
    word = "raises it" if low > 0 else "lowers it" if high < 0 else "does not clearly change it"
    return f"{word} ({interval(ends, 0, '+')})"
