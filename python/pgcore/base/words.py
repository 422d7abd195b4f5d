"""How messages, tables and figures say things."""

from __future__ import annotations


def counted(number: int, unit: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{number} {unit}{'' if number == 1 else 's'}"


def spanned(low: float, high: float, spec: str = "") -> str:
    """`3 to 8`, or `3` where both ends are written alike."""
    one, other = format(low, spec), format(high, spec)
    return one if one == other else f"{one} to {other}"
