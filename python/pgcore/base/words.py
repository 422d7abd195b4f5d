"""How messages, tables and figures say things."""

from __future__ import annotations

import math


def counted(number: int, unit: str, most: int | None = None) -> str:
    """`1 trial`, `2 trials`; `1 to 2 trials` where there is a ``most``."""
    most = number if most is None else most
    return f"{spanned(number, most)} {unit}{'' if most == 1 else 's'}"


def lasting(seconds: float) -> str:
    """`about 90.0 min (1.50 h)`."""
    return f"about {seconds / 60:.1f} min ({seconds / 3600:.2f} h)"


def spanned(low: float, high: float, spec: str = "") -> str:
    """`3 to 8`, or `3` where both ends are written alike."""
    one, other = format(low, spec), format(high, spec)
    return one if one == other else f"{one} to {other}"


def interval_text(
    middle: float,
    low: float,
    high: float,
    digits: int,
    ends: int | None = None,
    sign: str = "",
    more: int = 2,
) -> str:
    """`1.0 [0.5, 1.5]`; `1.0` without known ends, and `-` without anything.

    Args:
        middle, low, high: a number and its interval.
        digits: behind the point, at least; a narrow interval gets two significant ones, as far as
            there is room for ``more``.
        ends: of the ends, at least; None: as many.
        sign: "+" to write both signs.
        more: how many more than asked for there may be.
    """
    if not math.isfinite(middle):
        return "-"
    if not math.isfinite(low):
        return _plain(middle, digits, sign)
    width, ends = high - low, digits if ends is None else ends
    least = max(0, 1 - math.floor(math.log10(width))) if 0 < width < math.inf else 0
    own, of_ends = (max(n, min(least, n + more)) for n in (digits, ends))
    between = ", ".join(_plain(x, of_ends, sign) for x in (low, high))
    return f"{_plain(middle, own, sign)} [{between}]"


def _plain(x: float, digits: int, sign: str) -> str:
    """A number that is written 0 has no minus."""
    text = f"{x:{sign}.{digits}f}"
    return f"{0.0:{sign}.{digits}f}" if float(text) == 0 else text
