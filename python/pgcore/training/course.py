"""Trajectories that go on from one iteration to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgcore.base.arrays import F64
from pgcore.rollout.batch import RolloutBatch, StreamStates, cut_trajectories
from pgcore.rollout.open_streams import LiveStreams
from pgcore.tasks.gymnasium import AnyTask, GymnasiumTask


@dataclass(frozen=True)
class Course:
    """Where the streams of some trials stand between two iterations.

    Attributes:
        states: of S streams; of a Gymnasium task open environments, None before the first batch.
        earlier: [S, 2], return and length so far of the trajectories in hand.
    """

    states: StreamStates | LiveStreams | None
    earlier: F64

    @staticmethod
    def create(task: AnyTask, streams: int) -> Course:
        """Streams that are yet to begin.

        Raises:
            ValueError: the simulator's state cannot be kept.
        """
        if isinstance(task, GymnasiumTask):
            return Course(None, np.zeros((streams, 2)))
        none = np.zeros(streams, dtype=np.int64)
        simulator = np.zeros((streams, task.native.state_size()))
        return Course(StreamStates(simulator, none, none.copy()), np.zeros((streams, 2)))

    @property
    def begins(self) -> bool:
        """Whether every stream has yet to begin: environments that no file held are new."""
        return self.states is None

    def close(self) -> None:
        """Close what is open."""
        if isinstance(self.states, LiveStreams):
            self.states.close()

    def after(self, batch: RolloutBatch) -> Course:
        """Where they stand after a batch that began here."""
        assert batch.end is not None
        return Course(batch.end, cut_trajectories(batch, self.earlier))

    def arrays(self, trials: int) -> dict[str, NDArray[Any]]:
        """Plain arrays with a leading axis of trials; the simulator's as bytes, which some are.

        None of a Gymnasium task, whose environments no file can hold.
        """
        if not isinstance(self.states, StreamStates):
            return {}
        found: dict[str, NDArray[Any]] = {
            "simulator": self.states.simulator.view(np.uint8),
            "trajectory": self.states.trajectory,
            "step": self.states.step,
            "earlier": self.earlier,
        }
        return {f"course.{k}": a.reshape(trials, -1, *a.shape[1:]) for k, a in found.items()}

    def restored(self, state: Mapping[str, NDArray[Any]]) -> Course:
        """From :meth:`arrays`, copied; open environments stay where they are."""
        if not isinstance(self.states, StreamStates):
            return self

        def streams(name: str) -> NDArray[Any]:
            array = state[f"course.{name}"]
            return array.reshape(-1, *array.shape[2:]).copy()

        simulator = streams("simulator").view(np.float64)
        states = StreamStates(simulator, streams("trajectory"), streams("step"))
        return Course(states, streams("earlier"))
