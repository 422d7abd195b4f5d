"""Streams of environments that stay open between two calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pgcore.base.arrays import F64, Bool


@dataclass
class LiveStreams:
    """Where S streams of open environments stand between two calls; it cannot be saved.

    They are gone on from once: environments move, and stand elsewhere then.

    Attributes:
        streams: [S], :class:`~pgcore.rollout.environments.Stream`, open in this process.
        obs: [S, O], the newest observations.
        going: [S], in the middle of a trajectory; the others begin one.
        task: the id of their task.
        left: whether a call has gone on from here.
    """

    streams: Sequence[Any]
    obs: F64
    going: Bool
    task: str
    left: bool = False

    def close(self) -> None:
        """Close the environments."""
        for stream in self.streams:
            stream.close()
