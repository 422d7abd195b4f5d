"""How messages, tables and figures say things."""

from __future__ import annotations


def counted(number: int, unit: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{number} {unit}{'' if number == 1 else 's'}"
