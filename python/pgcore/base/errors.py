"""Errors of the package, and the checks that word them."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np


class SimulationError(RuntimeError):
    """The simulator raised an error in some streams of a call; the other streams finished.

    Attributes:
        streams: the streams that failed, in order.
        messages: the message of each of them.
        result: what the call would have returned (a ``RolloutBatch`` or ``Scores``). All rewards
            of a failed stream are NaN; the other streams are valid.
        simulator: what raised it: MuJoCo, or an environment.
    """

    def __init__(
        self,
        streams: Sequence[int],
        messages: Sequence[str],
        result: Any,
        simulator: str = "MuJoCo",
    ) -> None:
        self.streams = list(streams)
        self.messages = list(messages)
        self.result = result
        self.simulator = simulator
        shown = ", ".join(str(s) for s in self.streams[:5])
        more = ", ..." if len(self.streams) > 5 else ""
        super().__init__(
            f"{simulator} raised an error in {len(self.streams)} stream(s) ({shown}{more}); "
            f"stream {self.streams[0]}: {self.messages[0]}. The other streams finished: see "
            "the attributes streams, messages and result."
        )

    def __reduce__(self) -> tuple[type[SimulationError], tuple[Any, ...]]:
        return SimulationError, (self.streams, self.messages, self.result, self.simulator)


class CheckpointError(ValueError):
    """A checkpoint cannot be used: missing, truncated, corrupt, or for something else."""


def check_count(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """Return ``value`` if it is an integer of at least ``least`` and at most ``most``."""
    wanted = f"an integer >= {least}" if most is None else f"an integer from {least} to {most}"
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}: expected {wanted}, got {value!r}")
    if int(value) < least or (most is not None and int(value) > most):
        raise ValueError(f"{name}: expected {wanted}, got {value}")
    return int(value)


def check_seed(name: str, value: Any) -> int:
    """Return ``value`` if it is an integer from 0 to 2^64 - 1."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}: expected an integer from 0 to 2^64 - 1, got {value!r}")
    if not 0 <= int(value) < 2**64:
        raise ValueError(f"{name}: expected an integer from 0 to 2^64 - 1, got {value}")
    return int(value)


def check_number(
    name: str, value: Any, least: float = -math.inf, most: float = math.inf, above: bool = False
) -> float:
    """Return ``value`` if it is a finite number of some range.

    Args:
        name, value: of the argument.
        least, most: bounds, which belong to the range.
        above: ``least`` does not.
    """
    if math.isfinite(most):
        wanted = f"a number from {least:g} to {most:g}"
    elif math.isfinite(least):
        wanted = f"a number {'>' if above else '>='} {least:g}"
    else:
        wanted = "a finite number"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}: expected {wanted}, got {value!r}")
    number = float(value)
    if not (math.isfinite(number) and least <= number <= most) or (above and number == least):
        raise ValueError(f"{name}: expected {wanted}, got {value}")
    return number


def check_type(name: str, value: Any, kinds: Any, wanted: str) -> None:
    """TypeError if ``value`` is none of ``kinds``, which ``wanted`` describes."""
    if not isinstance(value, kinds):
        raise TypeError(f"{name}: expected {wanted}, got {type(value).__name__}")


def check_flag(name: str, value: Any) -> bool:
    """Return ``value`` if it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: expected True or False, got {value!r}")
    return bool(value)


def check_path(name: str, value: Any) -> Path:
    """Return ``value`` as a path, if it is one."""
    check_type(name, value, str | os.PathLike, "a path")
    return Path(value)


def check_counts(name: str, values: Sequence[int], least: int = 1) -> tuple[int, ...]:
    """:func:`check_count` of every value; there must be one, and none twice."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError(f"{name}: expected a sequence of integers, got {values!r}")
    if not values:
        raise ValueError(f"{name}: expected at least one number, got none")
    counts = tuple(check_count(name, value, least) for value in values)
    twice = sorted({n for n in counts if counts.count(n) > 1})
    if twice:
        raise ValueError(f"{name}: expected every number once, got {twice[0]} several times")
    return counts


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return ``value`` if it is one of ``choices``; raise with its name otherwise."""
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}; got {value!r}")
    return str(value)
