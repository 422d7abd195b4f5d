"""Errors of the package, and the checks that word them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


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


def check_count(name: str, value: int, least: int = 1) -> int:
    """Return ``value`` if it is an integer of at least ``least``; raise with its name otherwise."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}: expected an integer >= {least}, got {value!r}")
    if int(value) < least:
        raise ValueError(f"{name}: expected an integer >= {least}, got {value}")
    return int(value)


def check_counts(name: str, values: Sequence[int], least: int = 1) -> tuple[int, ...]:
    """:func:`check_count` of every value; there must be one, and none twice."""
    if not values:
        raise ValueError(f"{name}: expected at least one number, got none")
    counts = tuple(check_count(name, value, least) for value in values)
    twice = sorted({n for n in counts if counts.count(n) > 1})
    if twice:
        raise ValueError(f"{name}: expected every number once, got {twice[0]} several times")
    return counts


def check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """Return ``value`` if it is one of ``choices``; raise with its name otherwise."""
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}; got {value!r}")
    return value
