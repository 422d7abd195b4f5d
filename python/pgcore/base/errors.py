"""Errors of the package, and the checks that word them."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from pgcore.base.words import counted


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
            f"{simulator} raised an error in {counted(len(self.streams), 'stream')} ({shown}"
            f"{more}); stream {self.streams[0]}: {self.messages[0]}. The other streams finished: "
            "see the attributes streams, messages and result."
        )

    def __reduce__(self) -> tuple[type[SimulationError], tuple[Any, ...]]:
        return SimulationError, (self.streams, self.messages, self.result, self.simulator)


class LeftOutError(ValueError):
    """A cell of a study that has no numbers, whenever it is tried: the reason."""


class CheckpointError(ValueError):
    """A checkpoint cannot be used: missing, truncated, corrupt, or for something else."""


@contextmanager
def corrupt_if_it_fails(what: str) -> Iterator[None]:
    """Whatever goes wrong with what a file says is a :class:`CheckpointError` of one line.

    Args:
        what: the file, as the message begins.
    """
    try:
        yield
    except CheckpointError as error:
        if str(error).startswith(what):
            raise
        raise CheckpointError(f"{what}: {error}") from error.__cause__
    except KeyError as error:
        raise CheckpointError(f"{what}: {error} is missing") from error
    # RuntimeErrors are torch's, or of what is nested too deep to be read
    except (
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        AttributeError,
        RuntimeError,
    ) as error:
        raise CheckpointError(f"{what}: {' '.join(str(error).split())}") from error


def shown(value: Any, most: int = 200) -> str:
    """A value as a message has it: on one line, and not longer than that."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # of an object of someone else's, or an integer of thousands of digits
        return f"something of type {type(value).__name__}"
    return text if len(text) <= most else text[: most - 3] + "..."


def _integer(value: Any) -> int | None:
    """``value`` as an integer; None if it is none, as is True."""
    if isinstance(value, bool | np.bool_):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def check_count(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """Return ``value`` if it is an integer of at least ``least`` and at most ``most``."""
    wanted = f"an integer >= {least}" if most is None else f"an integer from {least} to {most}"
    count = _integer(value)
    if count is None:
        raise TypeError(f"{name}: expected {wanted}, got {shown(value)}")
    if count < least or (most is not None and count > most):
        raise ValueError(f"{name}: expected {wanted}, got {shown(count)}")
    if count >= 2**63:  # nothing of that size can be counted, and floats of it may not exist
        raise ValueError(f"{name}: expected an integer below 2^63, got {shown(count)}")
    return count


def check_seed(name: str, value: Any) -> int:
    """Return ``value`` if it is an integer from 0 to 2^64 - 1."""
    seed = _integer(value)
    if seed is None:
        raise TypeError(f"{name}: expected an integer from 0 to 2^64 - 1, got {shown(value)}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"{name}: expected an integer from 0 to 2^64 - 1, got {shown(seed)}")
    return seed


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
        raise TypeError(f"{name}: expected {wanted}, got {shown(value)}")
    try:
        number = float(value)
    except OverflowError:  # an integer beyond all floats
        number = math.inf
    if not (math.isfinite(number) and least <= number <= most) or (above and number == least):
        raise ValueError(f"{name}: expected {wanted}, got {shown(value)}")
    return number


def check_type(name: str, value: Any, kinds: Any, wanted: str) -> None:
    """TypeError if ``value`` is none of ``kinds``, which ``wanted`` describes."""
    if not isinstance(value, kinds):
        raise TypeError(f"{name}: expected {wanted}, got {type(value).__name__}")


def check_flag(name: str, value: Any) -> bool:
    """Return ``value`` if it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: expected True or False, got {shown(value)}")
    return bool(value)


def check_path(name: str, value: Any) -> Path:
    """Return ``value`` as a path, if it is one; ``~`` is the home of a user."""
    check_type(name, value, str | os.PathLike, "a path")
    if not os.fspath(value) or "\0" in os.fspath(value):
        raise ValueError(f"{name}: expected a path, got {shown(value)}")
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ValueError(f"{name}: {shown(value)} names the home of an unknown user") from None


def check_new_file(name: str, value: Any) -> Path:
    """:func:`check_path` of a file to be written: a text that ends in / is a folder."""
    path = check_path(name, value)
    if os.fspath(value).endswith(os.sep):
        raise ValueError(f"{name}: expected a file, got the folder {os.fspath(value)}")
    return path


def check_counts(name: str, values: Sequence[int], least: int = 1) -> tuple[int, ...]:
    """:func:`check_count` of every value; there must be one, and none twice."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError(f"{name}: expected a sequence of integers, got {shown(values)}")
    if not values:
        raise ValueError(f"{name}: expected at least one number, got none")
    counts = tuple(check_count(name, value, least) for value in values)
    twice = sorted({n for n in counts if counts.count(n) > 1})
    if twice:
        raise ValueError(f"{name}: expected every number once, got {twice[0]} several times")
    return counts


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return ``value`` if it is one of ``choices``; raise with its name otherwise."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}; got {shown(value)}")
    return value
